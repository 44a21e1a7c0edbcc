//! Addresses and networks, such as those of the proxies that are trusted: `192.0.2.1`, `10.0.0.0/8`, `fd00::/8`.

use std::net::IpAddr;
use std::str::FromStr;

use anyhow::{Context, ensure};

/// A network; an address alone is a network of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    address: IpAddr,
    /// How many leading bits name the network.
    prefix: u32,
}

impl Network {
    /// An IPv4 address is in an IPv4 network also when it comes written as IPv6 (`::ffff:192.0.2.1`).
    #[allow(dead_code)]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (of_network, length) = bits(self.address);
        let (of_address, other_length) = bits(address.to_canonical());
        // Shifting by the whole width is not defined, and a network of prefix 0 is everything.
        let ignored = length - self.prefix;
        let same = |a: u128, b: u128| ignored == 128 || a >> ignored == b >> ignored;
        length == other_length && same(of_network, of_address)
    }
}

/// The address as a number, and its length in bits.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(v4) => (u32::from(v4).into(), 32),
        IpAddr::V6(v6) => (v6.into(), 128),
    }
}

impl FromStr for Network {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Network> {
        let wrong = || format!("{text:?} is neither an address nor a network such as 10.0.0.0/8");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse().with_context(wrong)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().with_context(wrong)?;
        let canonical = address.to_canonical();
        ensure!(
            canonical == address,
            "{text:?} is IPv4 written as IPv6: write it as {canonical} is, with a prefix of 32 bits at most"
        );
        let (_, length) = bits(address);
        let prefix: u32 = prefix.unwrap_or(length);
        ensure!(prefix <= length, wrong());
        Ok(Network { address, prefix })
    }
}

/// Reads networks with blanks between them.
pub fn parse_networks(text: &str) -> anyhow::Result<Vec<Network>> {
    text.split_whitespace().map(Network::from_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_addresses_and_no_others() {
        for (network, address, inside) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("10.0.0.0/8", "10.255.255.255", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.1.2.3/8", "10.9.9.9", true),
            ("0.0.0.0/0", "203.0.113.7", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "192.0.2.1", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
        ] {
            let network: Network = network.parse().unwrap();
            let contains = network.contains(address.parse().unwrap());
            assert_eq!(contains, inside, "{network:?} {address}");
        }
        for wrong in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "proxy",
            "10.0.0.0/-1",
            "::ffff:10.0.0.1",
            "::ffff:10.0.0.0/104",
        ] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
        assert_eq!(parse_networks(" 10.0.0.1\t::1 ").unwrap().len(), 2);
    }
}
