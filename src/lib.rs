//! An HTTP/1.1 file server and a concurrent downloader. Both use blocking sockets and threads, without an
//! event loop.
//!
//! This page explains both programs and where to find what. The README explains how to use them.
//!
//! # The programs
//!
//! **`http_server_conc`** serves the files of a directory. Each live connection has a thread. It limits the
//! connections of each client (`429` beyond) and of all clients together (`503` beyond). It supports
//! persistent connections, conditional and range requests, precompressed files, directory listings, access
//! logs, a status page, and the PROXY protocol.
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
//!            bin: http_server_conc      bin: http_client_concurrent
//!                       │                   │        │
//!                       ▼                   ▼        ▼
//!                    server              client ◀── lab
//!                       │                   │
//!                       └──────▶ net ◀──────┘      sockets with deadlines
//!                                 │
//!                                 ▼
//!                                http              bytes and values
//! ```
//!
//! | module | responsibility |
//! |---|---|
//! | [`http`] | the rules of the protocol, as pure functions: no sockets, files, threads or clocks |
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
//! 1. `accept/listener` accepts the socket. With a trusted proxy, `connection/proxy_header` reads the
//!    client's address.
//! 2. `limits/admission` compares the counts of the client and of all clients with their limits, and grants
//!    a permit. Dropping the permit releases the slot.
//! 3. Without a permit, `limits/lingering` sends the `429` or `503` in a thread of its own, so that it does
//!    not delay the next accept.
//! 4. With a permit, `threads` runs the connection in a waiting thread, or in a new one.
//! 5. `connection/requests` reads a head before its deadline; `handler/answer` makes the response.
//!    `site/lookup` opens the file or lists the directory; [`http::conditional`] and [`http::range`] decide
//!    what is sent.
//! 6. `connection/send` sends head and content, `logs/access` logs the request, and the connection waits for
//!    the next request or is closed.
//!
//! # The path of a URL (client)
//!
//! 1. `plan` turns arguments, lists and standard input into jobs, each with a file name.
//! 2. `pool/worker` takes a job from `hosts/queue` as soon as `hosts/gate` allows another connection to its
//!    host.
//! 3. `fetch/attempt` makes one attempt: `fetch/exchange` sends a request over a connection from `transport`
//!    and reads the head of the response; `fetch/redirects` follows a redirect.
//! 4. `fetch/receive` reads the content, `fetch/coding` decodes it, and `store/part` writes it to a partial
//!    file.
//! 5. If the content is complete and matches its checksum, `store/final_name` renames the file. Otherwise
//!    `retry` decides about the next attempt.
//! 6. `results` collects the outcomes for the summary, JSON and HAR.
//!
//! # Where would a change go?
//!
//! | change | place |
//! |---|---|
//! | TLS on the server | `server/connection/lifecycle`, where a thread takes over the socket: the handshake must not delay the accept loop |
//! | a bandwidth limit per client | `server/connection/rate` limits one connection; `server/limits/client` identifies clients, and `server/limits/admission` counts their connections |
//! | another content coding | names in `http/coding`; client: a decoder in `client/fetch/coding`; server: suffix in `http/coding`, choice in [`http::negotiation`], files in `server/site/precompressed` |
//! | Basic authentication | server: a check at the start of `server/handler/answer`, like that of `server/status/access`; client: `client/credentials`, which has it |
//! | another metric | a row in the table of `server/status/counters`, from which all forms of the status are made |
//! | conditional re-download | `client/store/validator` and `part_notes` keep the validators (now of partial files only), `client/fetch/request` writes the fields, `client/fetch/response_use` evaluates the status code |
//! | another request header rule | `http/request_head` and `http/fields` (syntax), `http/framing` (length), `http/error` (status code) |
//! | another limit on the size of a message | `http/head_scan`, `http/chunked`, `http/response_head` |
//! | another figure in a report | [`lab::findings`], then the renderings in [`lab::report`] |
//! | a command line option | `src/bin/*/args`, then the settings: `client/settings`, `server/config` |

#![forbid(unsafe_code)]

pub mod cli;
pub mod client;
pub mod http;
pub mod lab;
pub mod lock;
pub mod net;
pub mod printable;
pub mod server;
