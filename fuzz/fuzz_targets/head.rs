//! A request's head: nothing panics, an end is found wherever the bytes are cut, what the workers get is one request and
//! reads as the one that was taken, and nobody makes up whom a trusted proxy saw.

#![no_main]

#[path = "../../src"]
#[allow(dead_code, unused_imports)]
mod program {
    pub mod config;
    pub mod day;
    pub mod scope;
    pub mod zone;
}
#[path = "../../src/http"]
#[allow(dead_code)]
mod http {
    pub mod request;
    pub mod client;
}
use program::*;

use std::net::IpAddr;

use http::request::{Method, Version, find_end, parse};
use http::client::Proxies;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = find_end(bytes, 0);
    let mut piecewise = Ok(None);
    for count in 0..=bytes.len() {
        piecewise = find_end(&bytes[..count], count.saturating_sub(1));
        if !matches!(piecewise, Ok(None)) {
            break;
        }
    }
    assert_eq!(whole.is_err(), piecewise.is_err());
    let Ok(Some(end)) = whole else { return };
    assert_eq!(piecewise, Ok(Some(end)));
    let Ok(head) = parse(&bytes[..end]) else {
        return;
    };
    assert!(head.target.starts_with('/') && head.target.is_ascii());

    let client = client(&head.forwarded_for);
    let text = head.for_workers(client, "id");
    let lines: Vec<&str> = text.split("\r\n").collect();
    // Request line, Host, peer, id, at most four more, and two empty ends.
    assert!((6..=10).contains(&lines.len()), "{text:?}");
    assert!(
        !lines.iter().any(|line| line.contains(['\r', '\n', '\0'])),
        "{text:?}"
    );
    let peers = lines.iter().filter(|line| line.starts_with("X-Rbc-Peer:"));
    assert_eq!(peers.count(), 1, "{text:?}");
    assert_eq!(
        find_end(text.as_bytes(), 0),
        Ok(Some(text.len())),
        "{text:?}"
    );
    let again = parse(text.as_bytes()).expect("what was taken once is taken again");
    assert_eq!((again.method, &again.target), (head.method, &head.target));
    assert_eq!(again.authorization, head.authorization);
    assert_eq!(again.version, Version::Http11);
    assert!(matches!(head.method, Method::Get | Method::Head));
});

/// Whom two networks of trusted proxies saw. What a client writes comes before what they add.
fn client(forwarded_for: &str) -> IpAddr {
    let networks = ["10.0.0.0/8", "2001:db8::1"].map(|text| text.parse().unwrap());
    let proxies = Proxies(networks.to_vec());
    let [proxy, stranger]: [IpAddr; 2] =
        ["10.0.0.1", "192.0.2.1"].map(|text| text.parse().unwrap());
    assert_eq!(proxies.client(stranger, forwarded_for), stranger);
    let client = proxies.client(proxy, forwarded_for);
    for made_up in ["203.0.113.1", "10.0.0.2", "unknown", ""] {
        let longer = proxies.client(proxy, &format!("{made_up},{forwarded_for}"));
        // Behind trusted proxies alone, the first of them is whom the next one saw.
        assert!(
            longer == client || proxies.trusts(client),
            "{forwarded_for:?}"
        );
    }
    client
}
