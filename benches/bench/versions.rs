//! `make bench BENCH=server OLD=/path/to/another/rbc-usage`: the server beside another version of itself, over the same
//! ledger, in turn in the same run: what it answers in a second, and what it takes before its first client.

use std::path::PathBuf;
use std::process::Command;

use fixtures::large_cloud::{BenchCloud, Size};
use fixtures::sandbox::{Run, Sandbox, program};
use fixtures::server::Server;

use crate::server::{MONTH, Question, ROUNDS, median, wrk};

/// One account, by `/v1`: from one of fifteen days to another one, so that there are questions enough. It takes no
/// parameter that means nothing.
const RANGE: Question = Question {
    target: "/v1/accounts/a0000000-0000-4000-8000-%012d/usage?start=2013-06-%02d&end=2013-06-%02d",
    first: "1 + (time - 1) % 15",
    last: "16 + math.floor((time - 1) / 15) % 15",
};

/// A version and the folder with its own ledger.
struct Version {
    program: String,
    folder: PathBuf,
}

pub fn run(cloud: &BenchCloud, size: Size, old: &str) {
    let sandbox = Sandbox::new();
    println!("versions: {old} beside this one");
    let versions = [("old", old), ("new", program())].map(|(name, program)| {
        let version = Version {
            program: program.to_owned(),
            folder: sandbox.path(name),
        };
        version.import(cloud);
        let server = version.serve();
        println!(
            "        {name} before its first client: {} threads, {} descriptors, {} kB",
            server.status("Threads"),
            server.descriptors(),
            server.status("VmRSS")
        );
        version
    });
    println!(
        "        question   connections   asked         old         new   new/old      p99 old     new"
    );
    for (name, question) in [("/usage", &MONTH), ("/v1", &RANGE)] {
        for connections in ["1", "2", "32"] {
            for (asked, times, before) in [("never", "225", false), ("before", "1", true)] {
                let mut figures = [Vec::new(), Vec::new()];
                for _ in 0..ROUNDS {
                    for (version, figures) in versions.iter().zip(&mut figures) {
                        let server = version.serve();
                        let address = format!("http://{}", server.address);
                        if before {
                            wrk(&sandbox, size, question, &address, connections, times);
                        }
                        figures.push(wrk(&sandbox, size, question, &address, connections, times));
                    }
                }
                let [old, new] = figures.map(median);
                println!(
                    "        {name:<10} c={connections:<9} {asked:<7} {:>9.0}/s {:>9.0}/s {:>9.2} {:>9.2} {:>7.2} ms",
                    old.per_second,
                    new.per_second,
                    new.per_second / old.per_second,
                    old.p99_ms,
                    new.p99_ms
                );
            }
        }
    }
}

impl Version {
    fn import(&self, cloud: &BenchCloud) {
        std::fs::create_dir(&self.folder).expect("make a folder");
        let configuration = cloud.cloud.sandbox.path("cloudusage.cfg");
        std::fs::copy(configuration, self.folder.join("cloudusage.cfg"))
            .expect("copy a configuration");
        for words in [
            &["initdb"][..],
            &["import", "-s", "2013-06-01", "-e", "2013-07-01"],
        ] {
            Run::of(self.command(words[0]).args(&words[1..])).exits(0);
        }
    }

    fn serve(&self) -> Server {
        let mut command = self.command("serve");
        command.args(["--bind", "127.0.0.1:0"]).env(
            "RBC_USAGE_SERVER__MAX_REQUESTS_PER_CONNECTION",
            "1000000000",
        );
        Server::of(&mut command)
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args([name, "--config", "cloudusage.cfg"])
            .current_dir(&self.folder);
        command
    }
}
