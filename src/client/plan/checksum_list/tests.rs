//! Lists as programs write them, and lines that none of them would.

use super::*;
use crate::client::plan::checksum::Checksum;

const ONE: &str = "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8";
const TWO: &str = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
const FIVE: &str = "1f40fc92da241694750979ee6cf582f2d5d7d28e18335de05abc54d0560e0f53\
                    02860c652bf08d560252aa5e74210546f369fbbbce8c12cfc7957b2652fe9a75";

fn read(text: &str) -> ChecksumList {
    ChecksumList::read(text.as_bytes()).unwrap()
}

/// The algorithm and the digits of the expected checksum of a file.
fn expected(list: &ChecksumList, name: &str) -> Option<(Algorithm, String)> {
    let ExpectedChecksum { checksum, .. } = list.of(name)?;
    Some((checksum.algorithm(), checksum.to_string()))
}

#[test]
fn a_line_is_what_one_of_many_programs_writes() {
    for (line, name) in [
        ("{2}  a", "a"),
        ("{2} *a", "a"),
        ("{2} a", "a"),
        ("{2}\ta", "a"),
        ("  {2}  a", "a"),
        ("{2}  ./a", "a"),
        ("{2} *././a", "a"),
        ("{2}  dir/a", "dir/a"),
        ("{2}  a b.txt", "a b.txt"),
        ("{2}   a", " a"),
        ("{2}  a ", "a "),
        ("{2}  a (1) = b", "a (1) = b"),
        ("{2}  *a", "*a"),
        ("{2}  #a", "#a"),
        ("SHA256 (a) = {2}", "a"),
        ("SHA256 (./a) = {2}  ", "a"),
        ("SHA256(a)= {2}", "a"),
        ("SHA2-256(a)= {2}", "a"),
        ("SHA-256 (a) = {2}", "a"),
        ("sha256 (a) = {2}", "a"),
        ("SHA256\t(a)={2}", "a"),
        ("SHA256 (a b) = {2}", "a b"),
        ("SHA256 (a ) = {2}", "a "),
        ("SHA256 (a (1).txt) = {2}", "a (1).txt"),
        ("SHA256 (a) = b) = {2}", "a) = b"),
        ("SHA2-256(a=b)= {2}", "a=b"),
        ("SHA1 (a) = {1}", "a"),
        ("SHA1(a)= {1}", "a"),
        ("{1}  a", "a"),
        ("SHA512 (a) = {5}", "a"),
        ("SHA2-512(a)= {5}", "a"),
        ("{5} *a", "a"),
        // Backslashes and control characters are percent-encoded in the names of files.
        ("\\{2}  a\\\\b", "a%5Cb"),
        ("\\{2} *a\\nb\\r", "a%0Ab%0D"),
        ("\\SHA256 (a\\nb) = {2}", "a%0Ab"),
        ("\\SHA1 (\\\\) = {1}", "%5C"),
        ("{2}  a\\nb", "a%5Cnb"),
    ] {
        let text = line.replace("{1}", ONE).replace("{2}", TWO).replace("{5}", FIVE);
        let wanted = match line {
            _ if line.contains("{1}") => (Algorithm::Sha1, ONE.to_owned()),
            _ if line.contains("{2}") => (Algorithm::Sha256, TWO.to_owned()),
            _ => (Algorithm::Sha512, FIVE.to_owned()),
        };
        let upper = text.replace(&wanted.1, &wanted.1.to_uppercase());
        for text in [text, upper] {
            let list = read(&format!("\u{feff}# made elsewhere\r\n; so\r\n\r\n{text}\r\n"));
            assert_eq!(expected(&list, name), Some(wanted.clone()), "{text:?}");
            assert!(list.bad_lines.is_empty() && list.unsupported.is_empty(), "{text:?}: {list:?}");
        }
    }
}

#[test]
fn lines_of_other_algorithms_are_counted_by_their_names() {
    let hex = |length: usize| "0".repeat(length);
    for (line, name) in [
        (hex(32) + "  a", "MD5"),
        (hex(56) + "  a", "SHA224"),
        (hex(96) + " *a", "SHA384"),
        (hex(8) + "  a", "CRC32"),
        (format!("MD5 (a) = {}", hex(32)), "MD5"),
        (format!("MD5(a)= {}", hex(32)), "MD5"),
        (format!("SHA384 (a) = {}", hex(96)), "SHA384"),
        (format!("SHA2-384(a)= {}", hex(96)), "SHA2-384"),
        (format!("SHA512/256 (a) = {}", hex(64)), "SHA512/256"),
        (format!("SHA2-512/256(a)= {}", hex(64)), "SHA2-512/256"),
        (format!("SHA512t256 (a) = {}", hex(64)), "SHA512t256"),
        (format!("SHA3-256(a)= {}", hex(64)), "SHA3-256"),
        (format!("BLAKE2b (a) = {}", hex(128)), "BLAKE2b"),
        (format!("BLAKE2b-256 (a) = {}", hex(64)), "BLAKE2b-256"),
        (format!("HMAC-SHA2-256(a)= {}", hex(64)), "HMAC-SHA2-256"),
        (format!("\\MD5 (a\\nb) = {}", hex(32)), "MD5"),
        (hex(32), "MD5"),
        ("4294967295 0 a".to_owned(), "CRC"),
        ("30808     1 a b".to_owned(), "CRC"),
    ] {
        let list = read(&format!("{line}\n{TWO}  b\n{line}\n"));
        assert_eq!(list.unsupported, BTreeMap::from([(name.to_owned(), 2)]), "{line:?}");
        assert!(list.of("a").is_none() && list.of("b").is_some(), "{line:?}");
        assert!(list.bad_lines.is_empty(), "{line:?}: {list:?}");
    }
}

#[test]
fn a_line_that_is_none_of_these_has_its_number_and_the_others_count() {
    let long = "x".repeat(100_000);
    for line in [
        "not a checksum",
        "0  a",
        "a",
        "{2}a",
        "{2}0  a",
        "{2}  ./",
        // As "sha256sum --zero" has it.
        "{2}  a\0{2}  b\0",
        "+{2}  a",
        "\\{2}  a\\tb",
        "\\{2}  a\\",
        "SHA256 (a) = ",
        "SHA256 (a) {2}",
        "SHA256 (a = {2}",
        "SHA256 () = {2}",
        "SHA256 (a) = {1}",
        "SHA256 (a) = {2}0",
        "SHA256 (a) = {2} b",
        "SHA1 (a) = {2}",
        "SHA 256 (a) = {2}",
        "(a) = {2}",
        "SIZE (a) = 123",
        "TIMESTAMP = 1700000000",
        "untrusted comment: verify with a.pub",
        "<!DOCTYPE html>",
        &long,
    ] {
        let text = line.replace("{1}", ONE).replace("{2}", TWO);
        let list = read(&format!("{TWO}  b\n\n{text}\n{ONE}  c"));
        assert_eq!(list.bad_lines.len(), 1, "{line:?}: {list:?}");
        let UnknownLine { number, beginning } = &list.bad_lines[0];
        assert!(*number == 3 && beginning.len() < 100, "{list:?}");
        assert!(list.of("b").is_some() && list.of("c").is_some(), "{line:?}");
    }
}

#[test]
fn a_name_that_is_not_utf_8_is_no_bad_line() {
    let text = [TWO.as_bytes(), b"  caf\xe9\n", ONE.as_bytes(), b"  caf\xe8\n\xff\n"].concat();
    let list = ChecksumList::read(&text[..]).unwrap();
    assert_eq!(list.bad_lines, [UnknownLine { number: 3, beginning: "\u{fffd}".to_owned() }]);
    assert!(list.of("caf\u{fffd}").is_none());
}

#[test]
fn a_list_may_be_utf_16_and_end_its_lines_with_cr() {
    let text = format!("\u{feff}{TWO}  gr\u{fc}n\r{ONE}  b");
    assert!(read(&text).of("grün").is_some());
    let list: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let list = ChecksumList::read(&list[..]).unwrap();
    assert!(list.of("grün").is_some() && list.of("b").is_some());
}

#[test]
fn the_strongest_algorithm_counts_and_a_contradiction_is_an_error() {
    let list = read(&format!("{TWO}  a\n{FIVE}  a\n{ONE}  a\n{TWO}  b\n{ONE}  b\n{TWO} *./b\n"));
    assert_eq!(expected(&list, "a").unwrap().0, Algorithm::Sha512);
    assert_eq!(expected(&list, "b").unwrap().0, Algorithm::Sha256);
    let other = TWO.replace('c', "d");
    for (first, second, name) in [
        (format!("{TWO}  a"), format!("{other}  a"), "\"a\""),
        (format!("{TWO}  a"), format!("SHA256 (./a) = {other}"), "\"a\""),
        (format!("\\{TWO}  a\\n"), format!("\\{other}  a\\n"), "\"a\\n\""),
        (TWO.to_owned(), other.clone(), "a file without a name"),
    ] {
        let text = format!("{first}\n{ONE}  a\n{second}\n");
        let error = ChecksumList::read(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(error, format!("lines 1 and 3 have different SHA-256 checksums for {name}"));
    }
    // The same name in other directories is another file.
    read(&format!("{TWO}  x/a\n{other}  y/a\n"));
}

#[test]
fn a_heading_names_the_algorithm_of_the_sums_behind_it() {
    // So do the DIGESTS of Gentoo.
    let blake = FIVE.replace('1', "2");
    let text = format!("# BLAKE2B HASH\n{blake}  a\n# SHA512 HASH\n{FIVE}  a\n{TWO}  b\n");
    let list = read(&text);
    let ExpectedChecksum { checksum, is_algorithm_named } = list.of("a").unwrap();
    assert_eq!((checksum.to_string(), *is_algorithm_named), (FIVE.to_owned(), true));
    assert_eq!(list.unsupported, BTreeMap::from([("BLAKE2B".to_owned(), 1)]));
    assert!(!list.of("b").unwrap().is_algorithm_named);
    // Neither a heading that does not fit nor a sentence.
    for comment in ["# MD5", "# BLAKE2b is not used here"] {
        assert!(read(&format!("{comment}\n{FIVE}  a\n")).of("a").is_some(), "{comment}");
    }
}

#[test]
fn a_signed_list_is_read_without_its_signature() {
    let text = format!(
        "-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA256\r\n\r\n# a\r\n{TWO}  a\r\n\
         - {ONE}  dashed\r\n- -----BEGIN PGP SIGNATURE-----\r\n\
         -----BEGIN PGP SIGNATURE-----\r\n\r\n{TWO}\r\n{TWO}  forged\r\n=abcd\r\n\
         -----END PGP SIGNATURE-----\r\n{TWO}  behind\r\n"
    );
    let list = read(&text);
    assert!(list.is_signed);
    assert_eq!(list.bad_lines, [UnknownLine { number: 7, beginning: "-----BEGIN …".to_owned() }]);
    for (name, is_listed) in [("a", true), ("dashed", true), ("forged", false), ("behind", true)] {
        assert_eq!(list.of(name).is_some(), is_listed, "{name}");
    }
    let list = read(&format!("{TWO}  a\n- {TWO}  b\n"));
    assert!(!list.is_signed && list.of("b").is_none() && list.bad_lines.len() == 1);
}

#[test]
fn a_checksum_alone_is_for_the_only_file() {
    for text in ["{2}", "# a\n{2}\n", "{2}  ", "{2}  -", "SHA256 (-) = {2}", "SHA2-256(stdin)= {2}"]
        .map(|text| text.replace("{2}", TWO))
        .into_iter()
        .chain([format!("(stdin)= {TWO}"), format!("{TWO} *stdin"), format!("{ONE}\n{TWO}")])
    {
        let list = read(&text);
        let checksum = &list.of_only_file().unwrap().checksum;
        assert_eq!(Some(checksum.clone()), Checksum::parse(Algorithm::Sha256, TWO), "{text}");
        assert!(list.nameless_line().is_some() && list.of("a").is_none(), "{text}");
    }
    let list = read(&format!("{TWO}\n{ONE}  a\n"));
    assert!(list.of_only_file().is_none() && list.nameless_line() == Some(1));
}

#[test]
fn a_list_may_have_more_directories_in_front_of_a_name_or_fewer() {
    let list = read(&format!(
        "{TWO}  a b.txt\n{TWO} *./bin\n{ONE}  x/y\n{FIVE}  /srv/dist/z\n{TWO}  ../up\n\
         {ONE}  one/same\n{TWO}  two/same\n{TWO}  m/n\n{ONE}  n\n"
    ));
    for (name, digits) in [
        ("a b.txt", Some(TWO)),
        ("host/bin", Some(TWO)),
        ("host/bin/a", None),
        ("x/y", Some(ONE)),
        ("y", Some(ONE)),
        ("host/x/y", Some(ONE)),
        // Of another directory than the list says.
        ("host/z/y", None),
        ("z", Some(FIVE)),
        ("dist/z", Some(FIVE)),
        ("up", Some(TWO)),
        // Which of the two is meant?
        ("same", None),
        ("two/same", Some(TWO)),
        ("n", Some(ONE)),
        ("m/n", Some(TWO)),
        ("other", None),
        ("", None),
    ] {
        let found = expected(&list, name).map(|(_, digits)| digits);
        assert_eq!(found.as_deref(), digits, "{name}");
    }
}

#[test]
fn blanks_around_a_name_are_part_of_it_only_where_a_file_has_them() {
    let list = read(&format!("{TWO}    a\n{TWO} \t b  \nSHA1 ( c ) = {ONE}\n"));
    for name in ["a", "  a", "b", "c", " c "] {
        assert!(list.of(name).is_some(), "{name:?}");
    }
    let list = read(&format!("{TWO}    x/a \n{TWO}  x /b\n"));
    assert!(list.of("a").is_some() && list.of("b").is_some() && list.of("x/b").is_none());
    let list = read(&format!("{TWO}   a\n{ONE}  a\n{TWO}   b\n{ONE}  b \n"));
    assert_eq!(expected(&list, "a").unwrap().1, ONE);
    assert_eq!(expected(&list, " a").unwrap().1, TWO);
    assert!(list.of("b").is_none(), "it is not known which is meant");
}
