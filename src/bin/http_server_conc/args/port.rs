//! A port on the command line.

pub(super) fn parse_port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "choose a port from 1 to 65535, or 0 for any that is free".to_owned())
}
