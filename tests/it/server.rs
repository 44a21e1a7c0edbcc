//! `rbc-usage serve` on a free port, and a client for it that shows every byte of the protocol. The
//! server is killed when the test ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::sandbox::{Run, Sandbox};

/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// What the server has written there so far, read by a thread: a full pipe would stop the server.
    stderr: Arc<Mutex<String>>,
    reading: Option<JoinHandle<()>>,
    /// HOST:PORT, as the server printed it.
    pub address: String,
}

/// One connection, kept alive between requests.
pub struct Client<S = TcpStream> {
    stream: BufReader<S>,
}

#[derive(Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    /// Name in lower case, and value.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Server {
    /// Starts `serve` with the sandbox's configuration, which must bind to port 0.
    pub fn start(sandbox: &Sandbox) -> Server {
        Server::of(&mut sandbox.command(&["serve"]))
    }

    /// Starts any command that ends up in `serve`, and waits until it listens.
    pub fn of(command: &mut Command) -> Server {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start the server");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        stdout
            .read_line(&mut line)
            .expect("read the server's stdout");
        let address = ["listening on http://", "listening on https://"]
            .iter()
            .find_map(|start| line.strip_prefix(start))
            .and_then(|rest| rest.strip_suffix('\n'));
        let Some(address) = address else {
            let output = child.wait_with_output().expect("the server's output");
            panic!("{command:?} printed {line:?} and then {output:?}");
        };
        let stderr = Arc::new(Mutex::new(String::new()));
        let (pipe, written) = (child.stderr.take(), stderr.clone());
        let mut pipe = BufReader::new(pipe.expect("stderr is piped"));
        let reading = std::thread::spawn(move || {
            let mut line = String::new();
            while pipe.read_line(&mut line).expect("stderr is UTF-8") > 0 {
                written.lock().unwrap().push_str(&line);
                line.clear();
            }
        });
        Server {
            address: address.to_owned(),
            child,
            stdout,
            stderr,
            reading: Some(reading),
        }
    }

    /// Waits until this is on stderr.
    #[track_caller]
    pub fn says(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.stderr.lock().unwrap().contains(text) {
            let stderr = self.stderr.lock().unwrap().clone();
            assert!(Instant::now() < deadline, "no {text:?} in:\n{stderr}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// A line of `/proc/PID/status`, such as `Threads`.
    pub fn status(&self, name: &str) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).expect("the server's status");
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line[1..].split_whitespace().next());
        number.expect("the line").parse().expect("a number")
    }

    /// How many files and sockets it has open.
    pub fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.child.id());
        let open = std::fs::read_dir(folder).expect("list the server's descriptors");
        open.count()
    }

    pub fn connect(&self) -> Client {
        let stream = TcpStream::connect(&self.address).expect("connect to the server");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("set a time-out");
        Client::over(stream)
    }

    /// Asks on a connection of its own.
    pub fn get(&self, target: &str) -> Answer {
        self.ask("GET", target)
    }

    pub fn ask(&self, method: &str, target: &str) -> Answer {
        let mut client = self.connect();
        client.send(method, target);
        client.receive(method)
    }

    /// Sends a signal by its name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        Run::of(Command::new("sh").args(["-c", &kill])).exits(0);
    }

    /// Waits until the program has ended by itself.
    pub fn end(mut self) -> Run {
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().expect("ask for the end").is_none() {
            assert!(Instant::now() < deadline, "the server does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
        let mut run = Run {
            command: format!("the server at {}", self.address),
            code: self.child.wait().expect("the exit code").code(),
            stdout: String::new(),
            stderr: String::new(),
        };
        self.stdout
            .read_to_string(&mut run.stdout)
            .expect("stdout is UTF-8");
        let reading = self.reading.take().expect("stderr is read");
        reading.join().expect("read stderr to its end");
        run.stderr = std::mem::take(&mut *self.stderr.lock().unwrap());
        run
    }

    /// How long a thread of this name has been on a processor.
    pub fn time_of_thread(&self, name: &str) -> Duration {
        let tasks = format!("/proc/{}/task", self.child.id());
        let tasks = std::fs::read_dir(tasks).expect("list the server's threads");
        let spent = tasks.filter_map(|task| {
            let folder = task.expect("list the server's threads").path();
            // A thread may end between the listing and the reading.
            let comm = std::fs::read_to_string(folder.join("comm")).ok()?;
            let times = std::fs::read_to_string(folder.join("schedstat")).ok()?;
            let first = times.split(' ').next()?.parse().ok()?;
            (comm.trim_end() == name).then(|| Duration::from_nanos(first))
        });
        let spent: Duration = spent.sum();
        assert!(
            !spent.is_zero(),
            "no thread {name}, or a system that does not tell its time"
        );
        spent
    }

    /// How often the threads whose names begin so have gone to sleep so far: `worker`, or `connection`. While a request
    /// is held up, the number grows; while none is in hand, it stands still.
    pub fn sleeps_of(&self, threads: &str) -> u64 {
        let counts = self.status_of(threads, "voluntary_ctxt_switches:");
        let counts = counts.iter().map(|count| count.parse::<u64>());
        counts.map(|count| count.expect("a number")).sum()
    }

    /// Waits until all threads whose names begin so wait for something.
    pub fn wait_until_asleep(&self, threads: &str) {
        let asleep = |state: &String| state.starts_with('S');
        while !self.status_of(threads, "State:").iter().all(asleep) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// What the system tells of each thread whose name begins so.
    fn status_of(&self, threads: &str, what: &str) -> Vec<String> {
        let tasks = format!("/proc/{}/task", self.child.id());
        let tasks = std::fs::read_dir(tasks).expect("list the server's threads");
        let told = tasks.filter_map(|task| {
            let folder = task.expect("list the server's threads").path();
            // A thread may end between the listing and the reading.
            let name = std::fs::read_to_string(folder.join("comm")).ok()?;
            let status = std::fs::read_to_string(folder.join("status")).ok()?;
            let mut lines = status.lines();
            let told = lines.find_map(|line| line.strip_prefix(what))?;
            name.starts_with(threads).then(|| told.trim().to_owned())
        });
        told.collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already where a test waited for that.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl<S: Read + Write> Client<S> {
    /// On a connection that is there, such as an encrypted one.
    pub fn over(stream: S) -> Client<S> {
        Client {
            stream: BufReader::new(stream),
        }
    }

    pub fn send(&mut self, method: &str, target: &str) {
        self.send_bytes(&format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        ));
    }

    pub fn send_bytes(&mut self, text: &str) {
        let stream = self.stream.get_mut();
        stream.write_all(text.as_bytes()).expect("send a request");
    }

    /// Reads one answer, by its Content-Length.
    pub fn receive(&mut self, method: &str) -> Answer {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).expect("read an answer");
            assert!(
                line.ends_with("\r\n"),
                "the answer breaks off after {head:?} {line:?}"
            );
            if line == "\r\n" {
                break;
            }
            head.push(line.trim_end().to_owned());
        }
        let status = head[0].strip_prefix("HTTP/1.1 ").expect("a status line")[..3].parse();
        let mut answer = Answer {
            status: status.expect("a status"),
            headers: head[1..]
                .iter()
                .map(|line| line.split_once(": ").expect("a header"))
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect(),
            body: String::new(),
        };
        if method != "HEAD" && answer.status != 304 {
            let length = answer.header("content-length").expect("a length");
            let mut body = vec![0; length.parse().expect("a length")];
            self.stream.read_exact(&mut body).expect("read a body");
            answer.body = String::from_utf8(body).expect("a body is UTF-8");
        }
        answer
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}
