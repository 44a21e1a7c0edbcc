//! A commit whose answer never comes: it may have been made, and is never made twice.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mysql::Conn;
use mysql::prelude::Queryable;

use super::{Theatre, times};
use crate::cluster::{cloud_with_ledger_on, import, run, sums, whole};
use crate::crash::RANGE;
use crate::mariadb::Server as Mariadb;

/// A request of the protocol that is a query, without its length.
const COMMIT: &[u8] = b"\x03commit";

/// What becomes of one commit and its connection.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// The server never hears of it.
    Unheard,
    /// The server makes it, and its answer is lost.
    Unanswered,
    /// The same, and from then on nobody gets through to the server.
    UnansweredForGood,
    /// The server hears of it so many milliseconds after the client was lost.
    Late(u64),
}

/// Stands between the program and its server.
struct Proxy {
    port: u16,
    /// Which of the commits to come meets its fate: 1 is the next one; 0: it has.
    before: Arc<AtomicUsize>,
}

impl Proxy {
    fn start(server: u16, fate: Fate) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let before = Arc::new(AtomicUsize::new(usize::MAX));
        let left = Arc::clone(&before);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let is_over = left.load(Ordering::SeqCst) == 0;
                if matches!(fate, Fate::UnansweredForGood) && is_over {
                    continue;
                }
                let left = Arc::clone(&left);
                let upstream = TcpStream::connect(("127.0.0.1", server)).unwrap();
                std::thread::spawn(move || pass_on(client, upstream, fate, &left));
            }
        });
        Proxy { port, before }
    }
}

fn pass_on(mut client: TcpStream, mut server: TcpStream, fate: Fate, left: &AtomicUsize) {
    let (mut answers, mut asker) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let mut buffer = vec![0; 1 << 16];
    let is_muted = Arc::new(AtomicBool::new(false));
    let muted = Arc::clone(&is_muted);
    let backwards = std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = answers.read(&mut buffer).unwrap_or(0);
            // The server has answered: whatever it was to do is done.
            let is_over = count == 0 || muted.load(Ordering::SeqCst);
            if is_over || asker.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = asker.shutdown(Shutdown::Both);
    });
    loop {
        let count = client.read(&mut buffer).unwrap_or(0);
        let is_chosen = buffer[..count].ends_with(COMMIT) && is_next(left);
        if count == 0 || is_chosen && matches!(fate, Fate::Unheard) {
            break;
        }
        if is_chosen {
            is_muted.store(true, Ordering::SeqCst);
        }
        if let (true, Fate::Late(milliseconds)) = (is_chosen, fate) {
            let _ = client.shutdown(Shutdown::Both);
            std::thread::sleep(Duration::from_millis(milliseconds));
        }
        if server.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Write);
    let _ = backwards.join();
}

/// Counts a commit, and whether it is the one.
fn is_next(left: &AtomicUsize) -> bool {
    let counted = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
        left.checked_sub(1)
    });
    counted == Ok(1)
}

fn count_runs(mut connection: Conn) -> u64 {
    let sql = "select count(*) from rbc_usage.imports";
    connection.query_first(sql).unwrap().unwrap()
}

/// Imports, each time with another commit meeting its fate; returns how many there were of these.
fn lose(commits: &[usize]) -> usize {
    let mut lost = 0;
    for fate in [Fate::Unheard, Fate::Unanswered] {
        let server = Mariadb::start();
        let proxy = Proxy::start(server.port, fate);
        let cloud = cloud_with_ledger_on(&server, |_| format!("127.0.0.1:{}", proxy.port));
        run(&cloud, &RANGE);
        for commit in commits.iter().copied() {
            let (hours, runs) = (24 - commit as u32 % 24, count_runs(server.connect()));
            cloud.usage(&format!("update cloud_usage set raw_usage = {hours}"));
            proxy.before.store(commit, Ordering::SeqCst);
            let ended = import(&cloud).finish();
            lost += usize::from(proxy.before.load(Ordering::SeqCst) == 0);
            assert_eq!(ended.code, Some(0), "{fate:?} {commit}: {ended}");
            assert_eq!(sums(&server), whole(hours), "{fate:?} {commit}");
            assert_eq!(count_runs(server.connect()), runs + 1, "{fate:?} {commit}");
        }
    }
    lost
}

#[test]
fn a_commit_without_an_answer_is_made_once() {
    // The right to write, the run, the first day, and the last.
    assert_eq!(lose(&[1, 2, 3, 12]), 8);
}

#[test]
#[ignore = "make chaos"]
fn no_commit_without_an_answer_is_made_twice() {
    let all: Vec<usize> = (1..20).collect();
    let lost = lose(&all);
    assert!((24..38).contains(&lost), "{lost}: are there more?");
}

/// A server is still at a commit when another one is asked whether it was made.
#[test]
#[ignore = "make chaos"]
fn a_commit_that_comes_late_is_made_once() {
    let mut theatre = Theatre::open();
    theatre.run(&RANGE).exits(0);
    let config = std::fs::read_to_string(theatre.cloud.sandbox.path("cluster.cfg")).unwrap();
    let first = theatre.cluster.hosts();
    let first = first.split(',').next().unwrap();
    let port: u16 = first.rsplit(':').next().unwrap().parse().unwrap();
    for round in 0..times() {
        let late = u64::from(round * round % 120);
        let proxy = Proxy::start(port, Fate::Late(late));
        let through = config.replace(first, &format!("127.0.0.1:{}", proxy.port));
        theatre.cloud.sandbox.write("late.cfg", &through);
        let runs = count_runs(theatre.cluster.connect(1));
        theatre.change_source();
        // The run, and days.
        proxy.before.store(2 + round as usize % 6, Ordering::SeqCst);
        let ended = theatre.import("late.cfg").finish();
        assert_eq!(ended.code, Some(0), "{late} ms: {ended}");
        assert_eq!(proxy.before.load(Ordering::SeqCst), 0, "{late} ms");
        let new = (1..=10).map(|day| Theatre::whole(day, theatre.hours));
        assert_eq!(theatre.days(1), Vec::from_iter(new), "{late} ms");
        assert_eq!(
            count_runs(theatre.cluster.connect(1)),
            runs + 1,
            "{late} ms"
        );
    }
}

#[test]
#[ignore = "make chaos"]
fn a_commit_that_nobody_can_tell_of_ends_the_import() {
    let server = Mariadb::start();
    let proxy = Proxy::start(server.port, Fate::UnansweredForGood);
    let cloud = cloud_with_ledger_on(&server, |_| format!("127.0.0.1:{}", proxy.port));
    run(&cloud, &RANGE);
    cloud.usage("update cloud_usage set raw_usage = 23");
    proxy.before.store(4, Ordering::SeqCst);
    let ended = import(&cloud).finish();
    assert_eq!(ended.code, Some(2), "{ended}");
    let unknown = "nobody knows whether the last commit was made";
    assert!(ended.stderr.contains(unknown), "{ended}");
    // What was committed before it, and it: each day whole.
    let found = sums(&server);
    let (new, old) = (whole(23), whole(24));
    let changed = (0..10).take_while(|day| found[*day] == new[*day]).count();
    assert_eq!(found[changed..], old[changed..]);
    assert_eq!(changed, 2);
}
