//! The three servers and the `HAProxy` of the README.

use std::io;
use std::net::SocketAddr;

use rustix::process::Signal;
use tempfile::TempDir;

use super::PATIENCE;
use super::client::Client;
use super::haproxy::HaProxy;
use super::readme;
use super::target::{self, Target};

pub(crate) struct Cluster {
    haproxy: HaProxy,
    instances: Vec<Instance>,
    _root: TempDir,
}

struct Instance {
    arguments: Vec<String>,
    server: Target,
}

impl Cluster {
    /// With `further` options of the servers, and replacements in the text of `HAProxy`. `None` if that is not
    /// installed.
    pub(crate) fn start(
        further: &[&str],
        replacements: &[(&str, &str)],
    ) -> io::Result<Option<Self>> {
        let root = target::site()?;
        let path = root.path().to_str().expect("temporary paths are UTF-8");
        let further = [&["-p", "0"], further].concat();
        let instances: Vec<Instance> = readme::server_arguments(path, &further)
            .into_iter()
            .map(|mut arguments| {
                arguments.push("-q".to_owned());
                let server = Target::start_as(&arguments)?;
                let port = arguments.iter().position(|word| word == "-p").expect("it is there");
                arguments[port + 1] = server.address().port().to_string();
                Ok(Instance { arguments, server })
            })
            .collect::<io::Result<_>>()?;
        let haproxy = HaProxy::run(|address| {
            let mut changes =
                vec![("  bind :80\n  bind :::80 v6only\n", format!("  bind {address}\n"))];
            for (from, instance) in ["127.0.0.1:20001", "127.0.0.1:20002", "127.0.0.1:20003"]
                .into_iter()
                .zip(&instances)
            {
                changes.push((from, instance.server.address().to_string()));
            }
            readme::adapt(&readme::adapt(&readme::block("haproxy.cfg"), &changes), replacements)
        })?;
        Ok(haproxy.map(|haproxy| Self { haproxy, instances, _root: root }))
    }

    pub(crate) fn haproxy(&self) -> &HaProxy {
        &self.haproxy
    }

    /// Where clients connect to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.haproxy.address()
    }

    pub(crate) fn server(&self, index: usize) -> &Target {
        &self.instances[index].server
    }

    /// Ends an instance with this signal, and starts it again.
    pub(crate) fn replace(&mut self, index: usize, signal: Signal) -> io::Result<()> {
        let Instance { arguments, server } = &mut self.instances[index];
        server.signal(signal)?;
        server.end(PATIENCE)?;
        *server = Target::start_as(arguments)?;
        Ok(())
    }

    /// How many requests of a client an instance is answering.
    pub(crate) fn active(&self, index: usize, client: &str) -> io::Result<u64> {
        let mut asking = Client::connect([127, 0, 0, 1], self.server(index).address())?;
        asking.send(b"PROXY TCP4 127.0.0.1 127.0.0.1 9 80\r\n")?;
        // The status is not shown under other names.
        let answer = asking.get("http://localhost/status?format=json")?;
        let start = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(0);
        let status: serde_json::Value = serde_json::from_slice(&answer[start..])?;
        let rows = status["clients"].as_array().into_iter().flatten();
        Ok(rows
            .filter(|row| row["client"] == client)
            .filter_map(|row| row["active"].as_u64())
            .sum())
    }
}
