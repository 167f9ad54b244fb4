//! The texts in the README's section on more than one machine, for tests and measurements.

use std::fs;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const HEADING: &str = "\n## More than one machine\n";

/// The code block of the section whose first line is `# title`.
pub(super) fn block(title: &str) -> String {
    let readme = fs::read_to_string(README).unwrap();
    let (_, section) = readme.split_once(HEADING).expect("README has the section");
    let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
    // Every second piece between fences is a block, which begins with its language.
    let mut blocks = section.split("\n```").skip(1).step_by(2).filter_map(|block| {
        let (_, text) = block.split_once('\n')?;
        text.starts_with(&format!("# {title}\n")).then_some(text)
    });
    let text = blocks.next().unwrap_or_else(|| panic!("README has no block \"# {title}\""));
    assert!(blocks.next().is_none(), "README has \"# {title}\" twice");
    format!("{text}\n")
}

/// The arguments of README's commands that start servers, with another directory and `further` options, each with
/// its value, which replace those of the same name.
pub(super) fn server_arguments(root: &str, further: &[&str]) -> Vec<Vec<String>> {
    let commands = block("three instances, each in its own terminal").replace("\\\n", " ");
    let arguments = |line: &str| {
        let command = adapt(line, &[("/srv/files", root)]);
        let mut words = command.split_whitespace().map(str::to_owned);
        assert_eq!(words.next().as_deref(), Some("http_server_conc"), "{line}");
        let mut arguments: Vec<String> = words.collect();
        for option in further.chunks(2) {
            if let Some(at) = arguments.iter().position(|word| word == option[0]) {
                arguments.drain(at..at + 2);
            }
            arguments.extend(option.iter().map(|&word| word.to_owned()));
        }
        arguments
    };
    commands.lines().skip(1).map(arguments).collect()
}

/// The text with other addresses, ports and paths. All that a test changes of README's texts is changed here,
/// and each must be there.
pub(super) fn adapt<R: AsRef<str>>(text: &str, replacements: &[(&str, R)]) -> String {
    replacements.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "README's text no longer has {from:?}");
        text.replace(from, to.as_ref())
    })
}
