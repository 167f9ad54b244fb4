//! An HTTP/1.1 file server and a concurrent downloader. Both use blocking sockets and threads, without an
//! event loop.
//!
//! This page explains both programs and where to find what. The README explains how to use them.
//!
//! # The programs
//!
//! **`http_server_conc`** serves the files of a directory. Each live connection has a thread. It limits the
//! connections of each client (`429` beyond) and of all clients together (`503` beyond). It supports
//! persistent connections, conditional and range requests, precompressed files, listings and archives of
//! directories, access logs, a status page, TLS, and the PROXY protocol.
//!
//! **`http_client_concurrent`** downloads many URLs with a bounded number of threads, each of which uses one
//! connection at a time. A file gets its final name only when it is complete. The client resumes partial
//! files, retries, verifies checksums, follows redirects, and adapts to the number of connections that a
//! host accepts. With `--compare` and `--sweep` it measures the speedup of concurrent over sequential
//! downloads.
//!
//! # The layers
//!
//! ```text
//!    http_server_conc      http_client_concurrent        src/bin
//!            │                │        │       │
//!            │     ┌─ --demo ─┘        │       ▼
//!            ▼     ▼                   │      lab
//!            server                    ▼       │
//!               │                    client ◀──┘
//!               └──────▶ net ◀─────────┘                 sockets with deadlines
//!                         │
//!                         ▼
//!                        http                            bytes and values
//!
//!    cli                used by both programs
//!    printable, lock    used by the layers above net
//! ```
//!
//! | module | responsibility |
//! |---|---|
//! | [`http`] | the rules of the protocol: bytes and values, no I/O and no clock |
//! | [`net`] | reads heads and bodies from sockets, with deadlines |
//! | [`server`] | accepts connections, enforces limits, answers requests |
//! | [`client`] | downloads URLs |
//! | [`lab`] | measures and reports speedups, using the client |
//! | [`printable`] | escapes text from peers for logs, terminals and JSON |
//! | [`lock`] | locks a mutex, poisoned or not |
//! | [`cli`] | parts of the command line that both programs share |
//! | `src/bin/` | arguments, messages and exit status |
//!
//! A layer uses only layers below it, and [`server`] and [`client`] do not use each other. Within a layer,
//! files and folders do not depend on each other in cycles. The library prints nothing; its errors are typed.
//!
//! # The path of a connection (server)
//!
//! `server/mod.rs` starts the server and passes each accepted socket on (dispatch). In the thread of the
//! accept loop:
//!
//! 1. `accept/listener` accepts the socket. `connection/admit` decides what becomes of it: it refuses denied
//!    networks (`access/networks`), and asks for a slot. The port for redirects has an accept loop of its own.
//! 2. `limits/admission` compares the counts of the client and of all clients with their limits, and grants
//!    a permit. Dropping the permit releases the slot. The client of a trusted proxy is not known yet, so its
//!    connection takes a slot of the total only.
//! 3. Without a permit, the connection waits in `limits/slot_queue`, if that is asked for. Where a permit is
//!    dropped, `limits/admission` gives the slot to the next in turn (`limits/waiting_lines`). Else
//!    `limits/lingering` sends the `429` or `503` (`handler/rejection_response`) in another thread, so that it
//!    does not delay the next accept. Over TLS `connection/tls_rejection` sends it, within the bounds of
//!    `limits/tls_rejections`.
//! 4. With a permit, `threads` runs the connection in a waiting thread, or in a new one.
//!
//! In the thread of the connection:
//!
//! 5. If the peer is a trusted proxy, `connection/lifecycle` reads the client's address
//!    (`connection/proxy_header`) and takes the client's slot, or rejects the connection as in 3.
//!    If the server has certificates, `connection/opening` has the handshake of `tls/session` performed.
//!    From then on `connection/transport` decrypts what is read, and `connection/send_encrypted` sends.
//! 6. `connection/requests` serves one request after another; `service` holds the state that all
//!    connections share. `connection/request_reader` reads a head before its deadline.
//! 7. If requests need a password, `access/authenticator` verifies it, once for each connection; `access/places`
//!    decides whose is verified next.
//! 8. `handler/answer` makes the response: `site/lookup` opens the file or lists the directory, and
//!    `handler/file_response` selects the ranges of a file, or answers that the client has it already
//!    ([`http::range`], [`http::conditional`]). A path without a file gets
//!    `handler/fallback` or an error (`handler/error_response`). `handler/status_response` answers requests
//!    for the status page. On the port for redirects `handler/https_redirect` answers instead.
//! 9. `connection/close_reason` decides whether the connection is kept for another request.
//!    `connection/response` sends head and content through `connection/send`, which waits for a turn at each
//!    maximum rate that holds for the connection (`limits/rates`), and `logs/access` logs the request.
//!
//! When the server is stopped (`stop`), it serves for the delay that was set, if any, while the status page tells
//! health checks that it is leaving. Then `accept/listener` takes the connections that are there and closes, and
//! `drain` closes idle connections at once, and gives requests and connections that wait for a slot some time to finish.
//!
//! # The path of a URL (client)
//!
//! 1. `plan` turns arguments, lists and standard input into jobs, each with a file name.
//! 2. `pool/worker` takes a job from `hosts/queue` as soon as `hosts/gate` allows another connection to its
//!    host.
//! 3. `fetch/attempt` makes one attempt. `fetch/fetcher` sends its requests and follows redirects:
//!    `fetch/exchange` sends one request over a connection from `transport` and reads the head of the
//!    response; `fetch/redirects` computes the next target. `fetch/response_use` decides what the response is
//!    used for: as the whole content, as the rest of a part, or as proof that a part is complete.
//! 4. `fetch/receive` reads the content, `fetch/coding` decodes it, and `store/part` writes it to a partial
//!    file. A large file can be split: `fetch/split` divides it into pieces, and `fetch/split_fetch` fetches
//!    them into one part over several connections.
//! 5. If the content is complete and matches its checksum, `store/part` completes the part:
//!    `store/final_name` proposes names, and `store/part_paths` renames the part to the first that is free.
//!    Otherwise `retry` decides about the next attempt.
//! 6. `results` collects the outcomes for the summary, JSON and HAR.
//!
//! # Where would a change go?
//!
//! Server:
//!
//! | change | place |
//! |---|---|
//! | TLS | one certificate in `tls/certificate`, the choice by name in `tls/certificates`, the settings of rustls in `tls/acceptor`, the state of a connection in `tls/session`, when its handshake is performed in `connection/opening` |
//! | another limit of a client | the state in `limits/client_table`, the rule in a file of its own in `limits`, the setting in `config` |
//! | a maximum rate for something else | `limits/connection_rates` |
//! | another content coding | suffix and name in `http/coding`, choice in [`http::negotiation`], files in `site/precompressed` |
//! | another metric | a counter is one row of `status/counters`; a gauge is a field of `status/snapshot`, filled in `status/collect`, and a line in each form (`status/html`, `status/json`, `status/prometheus`) |
//! | another field of the access log | `logs/exchange`, filled in `connection/requests`, and `logs/format` |
//! | how long a connection is kept | the timeouts in `config`, the deadlines in `connection/request_reader`, the decision after a response in `connection/close_reason` |
//! | another rule for a request header | `http/request_head` and `http/fields` (syntax), `http/framing` (length), `http/error` (status code), `handler/answer` (meaning, such as that of `Host`) |
//!
//! Client:
//!
//! | change | place |
//! |---|---|
//! | another content coding | names in `http/coding`, decoder in `fetch/coding`, `Accept-Encoding` in `fetch/request` |
//! | conditional re-download | `fetch/attempt` and `settings` (existing files); `store/validator` and `store/part_notes` (the validator and its notes, which are removed when the file is complete); `fetch/request` (the fields); `fetch/response_use` (the status code); `results/outcome` |
//! | the file name of a URL | `plan/url_name` makes it, `plan/reserved_names` numbers equal ones, `store/final_name` decides about names from servers and about existing files |
//! | another output of a run | `results`, and `src/bin/http_client_concurrent/documents`, which writes it |
//! | another figure in a report | [`lab::findings`], then the renderings in [`lab::report`] |
//!
//! Both:
//!
//! | change | place |
//! |---|---|
//! | another limit on the size of a message | `http/head_scan`, `http/fields`, `http/chunked`, `http/response_head` |
//! | a command line option | server: `src/bin/http_server_conc/args`, then `server/config`; client: `args` and `config` in `src/bin/http_client_concurrent`, then `client/settings` |

#![forbid(unsafe_code)]

pub mod cli;
pub mod client;
pub mod http;
pub mod lab;
pub mod lock;
pub mod net;
pub mod printable;
pub mod server;
