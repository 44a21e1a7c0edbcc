//! Whom an address is counted with, wherever addresses are: connections, answers on their way, wrong passwords.

use std::net::{IpAddr, Ipv6Addr};

/// All of a network of IPv6 (64 bits) is one, which is what one customer gets.
pub fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(neighbourhood(address), counted);
        }
    }
}
