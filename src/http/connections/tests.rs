//! Who gets a place, and who gives his up.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};

use super::*;

#[test]
fn who_comes_while_it_drains_is_not_said_to_be_too_many() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (socket, peer) = (Arc::new(socket), Ipv4Addr::LOCALHOST.into());
    let table = Arc::new(Table::new(2, 1));
    let place = table.admit(&socket, peer, true);
    let full = table.admit(&socket, peer, true).err();
    assert_eq!(full, Some(Full::Address));
    drop(place);
    table.drain();
    assert_eq!(table.admit(&socket, peer, true).err(), Some(Full::Draining));
}

#[test]
fn who_has_said_something_is_not_the_first_to_be_sent_away() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let pair = || {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, Arc::new(listener.accept().unwrap().0))
    };
    let table = Arc::new(Table::new(2, 9));
    let admit = |socket| table.admit(socket, Ipv4Addr::LOCALHOST.into(), true);
    let (mut client, first) = pair();
    let first_place = admit(&first).unwrap();
    let (_silent, second) = pair();
    let second_place = admit(&second).unwrap();
    // Not read yet by any thread.
    client.write_all(b"G").unwrap();
    std::thread::sleep(RIPE_SILENT);
    assert!(table.send_some_away(&table.lock()));
    let waiting = |place: &Place| place.seat.waiting.load(Ordering::SeqCst);
    assert_eq!(waiting(&second_place), SENT_AWAY);
    assert!(waiting(&first_place) > SENT_AWAY);
    // In the end it is its turn.
    std::thread::sleep(RIPE_UNANSWERED);
    assert!(table.send_some_away(&table.lock()));
    assert_eq!(waiting(&first_place), SENT_AWAY);
}

#[test]
fn of_a_flood_of_silent_ones_the_first_are_sent_away_together() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (socket, most) = (Arc::new(socket), 16_384);
    let table = Arc::new(Table::new(most, most));
    let admit = || table.admit(&socket, Ipv4Addr::LOCALHOST.into(), false);
    let places: Vec<Place> = (0..most).map(|_| admit().unwrap()).collect();
    std::thread::sleep(RIPE_SILENT);
    assert!(table.send_some_away(&table.lock()));
    assert_eq!(table.count_sent_away(), most / SENT_AWAY_TOGETHER);
    assert_eq!(table.count_sent_away(), 0);
    let is_sent_away = |place: &Place| place.seat.waiting.load(Ordering::SeqCst) == SENT_AWAY;
    let (first, others) = places.split_at(most / SENT_AWAY_TOGETHER);
    assert!(first.iter().all(is_sent_away) && !others.iter().any(is_sent_away));
}
