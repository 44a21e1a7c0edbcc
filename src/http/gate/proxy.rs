//! Who a client is when a proxy stands between: the address that the trusted proxies vouch for, and never one
//! that a client made up.

use std::net::IpAddr;

use crate::config::Network;

/// The proxies whose `X-Forwarded-For` is believed; none unless the server is said to be behind one.
pub struct Proxies(pub Vec<Network>);

impl Proxies {
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Each proxy adds the address it was asked from at the end. So the list is read from there, for as long as
    /// the address before was trusted; what cannot be read ends it.
    pub fn client(&self, peer: IpAddr, forwarded_for: &str) -> IpAddr {
        let mut client = peer;
        for entry in forwarded_for.rsplit(',') {
            if !self.trusts(client) {
                break;
            }
            match entry.trim().parse::<IpAddr>() {
                Ok(address) => client = address.to_canonical(),
                Err(_) => break,
            }
        }
        client
    }
}
