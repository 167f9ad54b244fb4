//! The three instances of the README, as programs, with one directory.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::readme;
use crate::support::conversation::Conversation;
use crate::support::program::ServerProgram;
use crate::support::wait_until;

pub(super) const SMALL: &str = "Hello, balancer\n";

/// How many clusters have been started.
static CLUSTERS: AtomicU8 = AtomicU8::new(0);

/// Servers with the options of the README's commands. Those that still run are killed when dropped.
pub(super) struct Cluster {
    root: TempDir,
    /// Of the instances and of what is before them. Each cluster has its own, as the port of an instance that has
    /// ended could become that of another test's instance, to which a balancer would then connect.
    pub(super) host: Ipv4Addr,
    instances: Vec<Instance>,
}

struct Instance {
    arguments: Vec<String>,
    /// The port is the system's choice at the first start, and the same at the next ones.
    address: SocketAddr,
    program: Option<ServerProgram>,
}

impl Cluster {
    /// Starts them with `further` options, each with its value, beside or in place of those of the README. They
    /// serve `/small`, `/medium` of 1 MiB, and `/large` of 16 MiB.
    pub(super) fn start(further: &[&str]) -> Self {
        let root = TempDir::new().unwrap();
        fs::write(root.path().join("small"), SMALL).unwrap();
        for (name, length) in [("medium", 1 << 20), ("large", 16 << 20)] {
            File::create(root.path().join(name)).unwrap().set_len(length).unwrap();
        }
        let number = CLUSTERS.fetch_add(1, Ordering::Relaxed);
        let host = Ipv4Addr::new(127, 77, 1 + number, 1);
        let bind = host.to_string();
        let further = [&["--bind", &bind], further].concat();
        let start = |arguments| {
            let address = SocketAddr::from((host, 0));
            let mut instance = Instance { arguments, address, program: None };
            instance.start();
            instance
        };
        let arguments = readme::server_arguments(root.path().to_str().unwrap(), &further);
        let instances: Vec<Instance> = arguments.into_iter().map(start).collect();
        assert_eq!(instances.len(), 3, "README starts three instances");
        Self { root, host, instances }
    }

    pub(super) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(super) fn count(&self) -> usize {
        self.instances.len()
    }

    /// Replacements of the addresses in README's texts by those of the instances.
    pub(super) fn addresses(&self) -> Vec<(&'static str, String)> {
        ["127.0.0.1:20001", "127.0.0.1:20002", "127.0.0.1:20003"]
            .into_iter()
            .zip(&self.instances)
            .map(|(from, instance)| (from, instance.address.to_string()))
            .collect()
    }

    /// Starts an instance again, on its port.
    pub(super) fn restart(&mut self, index: usize) {
        self.instances[index].start();
    }

    /// Sends a signal, and does not wait.
    pub(super) fn signal(&self, index: usize, signal: Signal) {
        self.instances[index].program.as_ref().expect("it runs").signal(signal);
    }

    /// Sends a signal and waits for the end of the program; returns its exit code.
    pub(super) fn end(&mut self, index: usize, signal: Signal) -> Option<i32> {
        self.signal(index, signal);
        let program = self.instances[index].program.take().expect("it runs");
        program.wait_reading_its_log().0.code()
    }

    /// The status of an instance, as JSON, and the status code with which it answers health checks.
    pub(super) fn health(&self, index: usize) -> (u16, Value) {
        let reply = self.instances[index].connect().get("/status?format=json");
        (reply.status, serde_json::from_slice(&reply.body).unwrap())
    }

    /// A connection of a client to an instance that does not come through the balancer.
    pub(super) fn connect_to(&self, index: usize, client: &str) -> Conversation {
        self.instances[index].connect_for(client)
    }

    /// How many requests an instance has answered as they asked.
    pub(super) fn served(&self, index: usize) -> u64 {
        self.health(index).1["counters"]["responses"]["2xx"].as_u64().unwrap()
    }

    /// How many connections of a client an instance holds.
    pub(super) fn held(&self, index: usize, client: &str) -> usize {
        let (_, status) = self.health(index);
        let rows = status["clients"].as_array().unwrap();
        let name = if client == "::1" { "::/64" } else { client };
        let row = rows.iter().find(|row| row["client"] == name);
        let held =
            row.map_or(0, |row| row["active"].as_u64().unwrap() + row["idle"].as_u64().unwrap());
        usize::try_from(held).unwrap()
    }

    /// Waits until the instances together hold so many connections of a client.
    pub(super) fn wait_until_all_hold(&self, client: &str, expected: usize) {
        wait_until(&format!("the instances hold {expected} of {client}"), || {
            (0..self.count()).map(|index| self.held(index, client)).sum::<usize>() == expected
        });
    }
}

impl Instance {
    fn start(&mut self) {
        let port =
            self.arguments.iter().position(|word| word == "-p").expect("README gives a port");
        self.arguments[port + 1] = self.address.port().to_string();
        let program = ServerProgram::start(Path::new("/"), &self.arguments);
        let (_, rest) = program.announcement.split_once("://").expect("a URL");
        self.address = rest.split_once('/').unwrap().0.parse().unwrap();
        self.program = Some(program);
    }

    /// A connection from this machine, as that of a proxy.
    fn connect(&self) -> Conversation {
        self.connect_for("127.0.0.1")
    }

    fn connect_for(&self, client: &str) -> Conversation {
        let mut conversation = Conversation::between(Ipv4Addr::LOCALHOST.into(), self.address);
        conversation.send(format!("PROXY TCP4 {client} 127.0.0.1 9 80\r\n"));
        conversation
    }
}
