//! Which connections get a slot, and which are evicted.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};

use super::*;

#[test]
fn a_connection_during_the_drain_is_not_counted_as_one_too_many() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (socket, peer) = (Arc::new(socket), Ipv4Addr::LOCALHOST.into());
    let connections = Arc::new(Connections::new(2, 1));
    let slot = connections.admit(&socket, peer, true);
    let full = connections.admit(&socket, peer, true).err();
    assert_eq!(full, Some(Full::Address));
    drop(slot);
    connections.drain();
    assert_eq!(
        connections.admit(&socket, peer, true).err(),
        Some(Full::Draining)
    );
}

#[test]
fn a_connection_that_has_sent_something_is_not_evicted_first() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let pair = || {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, Arc::new(listener.accept().unwrap().0))
    };
    let connections = Arc::new(Connections::new(2, 9));
    let admit = |socket| connections.admit(socket, Ipv4Addr::LOCALHOST.into(), true);
    let (mut client, first) = pair();
    let first_slot = admit(&first).unwrap();
    let (_silent, second) = pair();
    let second_slot = admit(&second).unwrap();
    // Not read yet by any thread.
    client.write_all(b"G").unwrap();
    std::thread::sleep(EVICTABLE_SILENT);
    assert!(connections.evict_some(&connections.lock()));
    let waiting = |slot: &Slot| slot.peer.waiting.load(Ordering::SeqCst);
    assert_eq!(waiting(&second_slot), EVICTED);
    assert!(waiting(&first_slot) > EVICTED);
    // Later, it can be evicted as well.
    std::thread::sleep(EVICTABLE_UNANSWERED);
    assert!(connections.evict_some(&connections.lock()));
    assert_eq!(waiting(&first_slot), EVICTED);
}

#[test]
fn the_oldest_of_a_flood_of_silent_connections_are_evicted_together() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (socket, most) = (Arc::new(socket), 16_384);
    let connections = Arc::new(Connections::new(most, most));
    let admit = || connections.admit(&socket, Ipv4Addr::LOCALHOST.into(), false);
    let held: Vec<Slot> = (0..most).map(|_| admit().unwrap()).collect();
    std::thread::sleep(EVICTABLE_SILENT);
    assert!(connections.evict_some(&connections.lock()));
    assert_eq!(connections.take_evicted(), most / EVICTED_TOGETHER);
    assert_eq!(connections.take_evicted(), 0);
    let is_evicted = |slot: &Slot| slot.peer.waiting.load(Ordering::SeqCst) == EVICTED;
    let (first, others) = held.split_at(most / EVICTED_TOGETHER);
    assert!(first.iter().all(is_evicted) && !others.iter().any(is_evicted));
}
