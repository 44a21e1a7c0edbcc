//! A request's head: nothing panics, an end is found wherever the bytes are cut, what is taken is one clean request, and
//! nobody makes up whom a trusted proxy saw.

#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use rbc_usage::http::client::Proxies;
use rbc_usage::http::request::{find_end, parse};
use tiny_http::Method;

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

    let texts = [
        Some(&head.target),
        head.authorization.as_ref(),
        head.accept.as_ref(),
        head.accept_encoding.as_ref(),
        head.if_none_match.as_ref(),
        Some(&head.forwarded_for),
    ];
    for text in texts.into_iter().flatten() {
        assert!(!text.contains(['\r', '\n', '\0']), "{text:?}");
    }
    client(&head.forwarded_for);
    assert!(matches!(head.method, Method::Get | Method::Head));
});

/// Whom two networks of trusted proxies saw. What a client writes comes before what they add.
fn client(forwarded_for: &str) {
    let networks = ["10.0.0.0/8", "2001:db8::1/128"].map(|text| text.parse().unwrap());
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
}
