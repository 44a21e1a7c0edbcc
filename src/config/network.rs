//! Networks, such as those of the proxies that are trusted: `192.0.2.1`, `10.0.0.0/8`, `fd00::/8`. An address alone is
//! a network of one.

use std::net::IpAddr;

use anyhow::{Context, ensure};
use ipnet::IpNet;

/// Reads networks with blanks between them.
pub fn parse_networks(text: &str) -> anyhow::Result<Vec<IpNet>> {
    text.split_whitespace().map(parse_network).collect()
}

fn parse_network(text: &str) -> anyhow::Result<IpNet> {
    let network = match text.parse::<IpAddr>() {
        Ok(address) => Some(IpNet::from(address)),
        Err(_) => text.parse::<IpNet>().ok(),
    };
    let network = network.with_context(|| {
        format!("{text:?} is neither an address nor a network such as 10.0.0.0/8")
    })?;
    let address = network.addr();
    let canonical = address.to_canonical();
    ensure!(
        canonical == address,
        "{text:?} is IPv4 written as IPv6: write it as {canonical} is, with a prefix of 32 bits at most"
    );
    Ok(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_addresses_are_read() {
        let networks = |text| {
            let networks = parse_networks(text).unwrap();
            networks.iter().map(IpNet::to_string).collect::<Vec<_>>()
        };
        assert_eq!(networks(" 10.0.0.1\t::1 "), ["10.0.0.1/32", "::1/128"]);
        assert_eq!(networks("10.1.2.3/8 ::/0"), ["10.1.2.3/8", "::/0"]);
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for wrong in ["10.0.0.0/33", "::/129", "10.0.0.0/", "proxy", "10.0.0.0/-1"] {
            let message = parse_networks(wrong).unwrap_err().to_string();
            let why = "is neither an address nor a network such as 10.0.0.0/8";
            assert_eq!(message, format!("{wrong:?} {why}"));
        }
        for wrong in ["::ffff:10.0.0.1", "::ffff:10.0.0.0/104"] {
            let message = parse_networks(wrong).unwrap_err().to_string();
            let why = "is IPv4 written as IPv6: write it as 10.0.0";
            assert!(message.contains(why), "{message}");
        }
    }
}
