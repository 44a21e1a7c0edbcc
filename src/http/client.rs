//! A client's address: the one that trusted proxies vouch for, never one that the client made up, and the key under
//! which limits for each address count it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

/// The proxies whose `X-Forwarded-For` is believed; none unless `behind_proxy` is set.
pub struct Proxies(pub Vec<IpNet>);

impl Proxies {
    pub fn trusts(&self, address: IpAddr) -> bool {
        // An IPv4 client of an IPv6 socket is ::ffff:192.0.2.1.
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Each proxy appends the address that its request came from. The list is therefore read from its end, for as long
    /// as each address is trusted; an entry that cannot be read ends it.
    pub fn client(&self, peer: IpAddr, forwarded_for: &str) -> IpAddr {
        let mut client = peer;
        for entry in forwarded_for.rsplit(',') {
            if !self.trusts(client) {
                break;
            }
            match address(entry.trim()) {
                Some(address) => client = address,
                None => break,
            }
        }
        client
    }
}

/// Some proxies add the port.
fn address(entry: &str) -> Option<IpAddr> {
    let with_port = || Some(entry.parse::<SocketAddr>().ok()?.ip());
    let address = entry.parse().ok().or_else(with_port)?;
    Some(address.to_canonical())
}

/// The key under which an address is counted, for connections, unread answers, turns at the ledger and wrong passwords.
/// An IPv6 network of 64 bits counts as one address, because that is what one customer gets.
pub fn rate_limit_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_the_address_that_trusted_proxies_saw() {
        let proxies = Proxies(
            ["10.0.0.0/8", "2001:db8::1/128"]
                .map(|text| text.parse().unwrap())
                .to_vec(),
        );
        for (peer, forwarded_for, client) in [
            ("10.0.0.1", "", "10.0.0.1"),
            ("::ffff:10.0.0.1", "192.0.2.7", "192.0.2.7"),
            ("10.0.0.1", "192.0.2.7", "192.0.2.7"),
            ("2001:db8::1", "2001:db8::7", "2001:db8::7"),
            // What the client itself made up comes first and is not reached.
            ("10.0.0.1", "203.0.113.1, 192.0.2.7", "192.0.2.7"),
            // Two proxies in a row.
            ("10.0.0.1", "203.0.113.1,192.0.2.7 , 10.9.9.9", "192.0.2.7"),
            // A peer that is no proxy of ours has no say.
            ("192.0.2.7", "203.0.113.1", "192.0.2.7"),
            // What cannot be read ends it at the last address that is vouched for.
            ("10.0.0.1", "192.0.2.7, unknown", "10.0.0.1"),
            ("10.0.0.1", "192.0.2.7, unknown, 10.0.0.2", "10.0.0.2"),
            ("10.0.0.1", "192.0.2.7,", "10.0.0.1"),
            // All of them ours: the first one asked by itself.
            ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("10.0.0.1", "::ffff:192.0.2.7", "192.0.2.7"),
            ("10.0.0.1", "192.0.2.7:50123", "192.0.2.7"),
            ("10.0.0.1", "[2001:db8::7]:50123", "2001:db8::7"),
        ] {
            let (peer, client): (IpAddr, IpAddr) = (peer.parse().unwrap(), client.parse().unwrap());
            assert_eq!(
                proxies.client(peer, forwarded_for),
                client,
                "{peer} {forwarded_for:?}"
            );
        }
        let none = Proxies(Vec::new());
        let peer = "10.0.0.1".parse().unwrap();
        assert_eq!(none.client(peer, "192.0.2.7"), peer);
    }

    #[test]
    fn a_network_of_ipv6_is_one_and_each_address_of_ipv4() {
        for (address, counted) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:0:1::99", "2001:db8:0:1::"),
            ("2001:db8:0:1:ffff::", "2001:db8:0:1::"),
            ("2001:db8:0:2::99", "2001:db8:0:2::"),
        ] {
            let [address, counted] = [address, counted].map(|text| text.parse::<IpAddr>().unwrap());
            assert_eq!(rate_limit_key(address), counted);
        }
    }
}
