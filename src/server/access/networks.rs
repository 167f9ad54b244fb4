//! Which addresses are let in.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::server::limits::client::contains;

/// Networks whose clients are let in, or not. A client behind a proxy counts by its own address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkRules {
    /// If there are any, all other addresses are denied. Default none.
    pub allow: Vec<IpNet>,
    /// Denied, also where a network in `allow` contains them. Default none.
    pub deny: Vec<IpNet>,
}

impl NetworkRules {
    /// True if clients with this address are let in.
    pub(crate) fn admit(&self, address: IpAddr) -> bool {
        (self.allow.is_empty() || contains(&self.allow, address)) && !contains(&self.deny, address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denied_networks_win_and_allowed_ones_exclude_all_others() {
        for (allow, deny, address, is_admitted) in [
            (&[][..], &[][..], "192.0.2.1", true),
            (&[], &["192.0.2.0/24"], "192.0.2.1", false),
            (&[], &["192.0.2.0/24"], "192.0.3.1", true),
            (&[], &["192.0.2.0/24"], "::ffff:192.0.2.1", false),
            (&[], &["0.0.0.0/0"], "2001:db8::1", true),
            (&[], &["0.0.0.0/0", "::/0"], "2001:db8::1", false),
            (&["192.0.2.0/24"], &[], "192.0.2.1", true),
            (&["192.0.2.0/24"], &[], "::ffff:192.0.2.1", true),
            (&["192.0.2.0/24"], &[], "192.0.3.1", false),
            (&["192.0.2.0/24"], &[], "127.0.0.1", false),
            (&["192.0.2.0/24"], &[], "2001:db8::1", false),
            (&["192.0.2.0/24", "2001:db8::/32"], &[], "2001:db8::1", true),
            (&["192.0.2.0/24"], &["192.0.2.1/32"], "192.0.2.1", false),
            (&["192.0.2.0/24"], &["192.0.2.1/32"], "192.0.2.2", true),
            (&["192.0.2.1/32"], &["192.0.2.0/24"], "192.0.2.1", false),
        ] {
            let parse = |networks: &[&str]| networks.iter().map(|n| n.parse().unwrap()).collect();
            let rules = NetworkRules { allow: parse(allow), deny: parse(deny) };
            let found = rules.admit(address.parse().unwrap());
            assert_eq!(found, is_admitted, "{allow:?} {deny:?} {address}");
        }
    }
}
