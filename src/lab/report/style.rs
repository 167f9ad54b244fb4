//! The style sheet of the page, and what its colours must hold.
//!
//! Every colour that carries meaning has a contrast of at least 3 to 1 to the ground, that of text 4.5 to 1
//! (WCAG 2.2, success criteria 1.4.11 and 1.4.3). The colours of the phases differ in lightness as well as in
//! hue, so that they can be told apart in grey and by colour-blind readers; waiting is hatched.

/// The style sheet.
pub(super) const STYLE: &str = include_str!("style.css");

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The phases with a plain colour.
    const PHASES: [&str; 6] = ["dns", "connect", "tls", "first-byte", "transfer", "write"];

    /// An sRGB colour: its red, green and blue.
    type Colour = [u8; 3];

    /// The colours by name, in the light scheme and in the dark one, which replaces some of the light.
    fn schemes() -> [BTreeMap<&'static str, Colour>; 2] {
        let mut blocks = STYLE.split(":root {").skip(1).map(|rest| {
            let (block, _) = rest.split_once('}').expect("a block ends");
            let declarations = block.split(';').filter_map(|line| line.trim().split_once(": "));
            declarations.map(|(name, value)| (name.trim_start_matches('-'), colour(value)))
        });
        let light: BTreeMap<_, _> = blocks.next().expect("a light scheme").collect();
        let mut dark = light.clone();
        dark.extend(blocks.next().expect("a dark scheme"));
        assert!(blocks.next().is_none(), "two schemes");
        [light, dark]
    }

    /// `#12161b`, or `#fff`, each of whose digits counts twice.
    fn colour(text: &str) -> Colour {
        let digits = text.strip_prefix('#').expect("a colour in hexadecimal");
        let channel = |index: usize| {
            let pair = match digits.len() {
                3 => digits[index..=index].repeat(2),
                _ => digits[2 * index..2 * index + 2].to_owned(),
            };
            u8::from_str_radix(&pair, 16).expect("hexadecimal digits")
        };
        [channel(0), channel(1), channel(2)]
    }

    /// The relative luminance, 0 to 1 (WCAG 2.2, <https://www.w3.org/TR/WCAG22/#dfn-relative-luminance>).
    fn luminance(colour: Colour) -> f64 {
        let [red, green, blue] = colour.map(|channel| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// The contrast ratio, 1 to 21 (WCAG 2.2, <https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio>).
    fn contrast(one: Colour, other: Colour) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// The perceived lightness, 0 to 100: L* of CIE 1976 (ISO/CIE 11664-4).
    fn lightness(colour: Colour) -> f64 {
        let luminance = luminance(colour);
        if luminance > 0.008_856 { 116.0 * luminance.cbrt() - 16.0 } else { 903.3 * luminance }
    }

    #[test]
    fn colours_stand_out_from_the_ground_in_both_schemes() {
        let marks = ["waiting", "sequential", "law"].into_iter().chain(PHASES);
        let marks = marks.map(|name| (name, "ground", 3.0));
        let text = ["ink", "soft", "concurrent", "bad"];
        let text = text.into_iter().flat_map(|name| [(name, "ground", 4.5), (name, "panel", 4.5)]);
        let expected: Vec<_> = marks.chain(text).collect();
        for scheme in schemes() {
            for (name, ground, least) in &expected {
                let contrast = contrast(scheme[name], scheme[ground]);
                assert!(contrast >= *least, "{name} on the {ground}: {contrast:.2}");
            }
        }
    }

    #[test]
    fn phases_differ_in_grey_in_both_schemes() {
        for scheme in schemes() {
            for (index, one) in PHASES.iter().enumerate() {
                for other in &PHASES[index + 1..] {
                    let distance = (lightness(scheme[one]) - lightness(scheme[other])).abs();
                    assert!(distance >= 9.0, "{one} and {other}: {distance:.1}");
                }
            }
        }
    }

    /// The values of the standard's examples and of L* at its ends.
    #[test]
    fn contrast_and_lightness_are_those_of_the_standards() {
        let (white, black, grey) = (colour("#fff"), colour("#000000"), colour("#777777"));
        for (computed, expected) in [
            (contrast(white, black), 21.0),
            (contrast(white, grey), 4.478),
            (lightness(white), 100.0),
            (lightness(black), 0.0),
            (lightness(grey), 50.03),
        ] {
            assert!((computed - expected).abs() < 0.01, "{computed} is not {expected}");
        }
    }
}
