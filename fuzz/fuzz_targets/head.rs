//! A request's head: nothing panics, an end is found wherever the bytes are cut, and what the workers get is one
//! request and reads as the one that was taken.

#![no_main]

#[path = "../../src/http/gate/head.rs"]
#[allow(dead_code)]
mod head;

use head::{Method, Version, find_end, parse};
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

    let text = head.for_workers("192.0.2.1".parse().unwrap(), "id");
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
    assert_eq!(again.version, Version::Http11);
    assert!(matches!(head.method, Method::Get | Method::Head));
});
