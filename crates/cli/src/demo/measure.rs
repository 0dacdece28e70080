//! The measurement of one system: server up, connections up, a rest, load, samples between.

use std::thread;
use std::time::Duration;

use super::child::Helper;
use super::client::Message;
use super::limits;
use super::options::Options;
use super::outcome::{Column, Facts, Load, Samples, System};
use super::progress::Progress;
use super::sample::{self, Sample};
use super::serve::Ready;
use super::table::group;
use super::{CLIENT_COMMAND, Failure, SERVER_COMMAND};

/// Connections to one address, below the 28 232 ports that Linux gives a client by default.
const PER_ADDRESS: usize = 20_000;
/// The connections' rest before their memory is looked at.
const REST: Duration = Duration::from_millis(500);
/// Times that a server that died of too many connections is started again, for fewer.
const RETRIES: usize = 4;

/// What keeps a measurement from being made.
enum Trouble {
    /// Nothing helps.
    Fatal(Failure),
    /// The server died with so many connections open: fewer may help.
    Overloaded { open: usize, cause: Failure },
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Trouble {
        Trouble::Fatal(failure)
    }
}

/// Measures `system`, with fewer connections than asked for if the machine allows no more.
pub(super) fn measure(
    system: System,
    options: &Options,
    progress: &mut Progress,
) -> Result<Column, Failure> {
    let mut notes = Vec::new();
    let mut wanted = options.connections;
    for _ in 0..RETRIES {
        let trial = Trial { system, options, progress, notes: &mut notes };
        match trial.run(wanted) {
            Ok(column) => return Ok(column),
            Err(Trouble::Fatal(failure)) => return Err(failure),
            Err(Trouble::Overloaded { open, cause }) => {
                wanted = (open / 4 * 3).max(1);
                let note = format!("With {open} connections {cause}. Tried again with {wanted}.");
                progress.note(&note);
                notes.push(note);
            }
        }
    }
    Err(format!("the server died {RETRIES} times: {}", notes.join(" ")))
}

/// What was seen of a load from outside, and what the client told of it.
struct Watched {
    load: Load,
    rate: Vec<(f64, f64)>,
    peak_rss: u64,
}

/// One attempt.
struct Trial<'a> {
    system: System,
    options: &'a Options,
    progress: &'a mut Progress,
    notes: &'a mut Vec<String>,
}

impl Trial<'_> {
    fn run(mut self, wanted: usize) -> Result<Column, Trouble> {
        let title = self.system.title();
        self.progress.phase(&format!("{title}: starting the server"));
        let listeners = self.options.connections.div_ceil(PER_ADDRESS).to_string();
        let args = [SERVER_COMMAND.to_owned(), listeners];
        let mut server = Helper::start("server", self.system.mode(), &args)?;
        let ready: Ready = server.hear()?;
        let wanted = self.fit(wanted, &ready.mode)?;

        let before = Sample::take(server.pid())?;
        let mut client = self.start_client(wanted, &ready)?;
        let connections = self.connect(&mut server, &mut client, &ready.mode, wanted)?;
        self.check_mode(&server, &ready);
        self.progress.update(&format!("{title}: {} connections are idle", group(connections)));
        thread::sleep(REST);
        let idle = Sample::take(server.pid())?;

        self.progress.phase(&format!("{title}: load on {} connections", group(connections)));
        client.tell("load")?;
        let Watched { load, rate, peak_rss } = self.watch(&server, &mut client)?;
        if !server.is_alive() {
            return Err(Trouble::Fatal(format!("under load {}", server.obituary())));
        }
        let after = Sample::take(server.pid())?;
        if load.replies == 0 {
            let cause = load.first_error.unwrap_or_default();
            return Err(Trouble::Fatal(format!("not one request was answered: {cause}")));
        }
        if let Some(error) = &load.first_error {
            self.note(format!("Of the errors under load the first is: {error}."));
        }
        let facts = Facts {
            system: self.system,
            mode: ready.mode,
            connections_asked: self.options.connections,
            connections,
            rate,
            notes: std::mem::take(self.notes),
        };
        let samples = Samples { before, idle, after, peak_rss };
        let time = Duration::from_secs_f64(self.options.seconds);
        Ok(Column::new(facts, load, &samples, time))
    }

    fn note(&mut self, note: String) {
        self.progress.note(&format!("{}: {note}", self.system.title()));
        self.notes.push(note);
    }

    /// Says so if the column is not what its heading says.
    fn check_mode(&mut self, server: &Helper, ready: &Ready) {
        if ready.mode != self.system.mode() {
            // Asked for only now, since messages and errors come from the server by two ways.
            let reason = server.first_error().unwrap_or_default();
            self.note(format!("The server ran in the mode {:?} instead. {reason}", ready.mode));
        }
    }

    /// The number of connections that the limits allow.
    fn fit(&mut self, wanted: usize, mode: &str) -> Result<usize, Failure> {
        match limits::lowest(mode == "threads", wanted) {
            Some(ceiling) if ceiling.connections == 0 => {
                Err(format!("not one connection can be opened: {}", ceiling.reason))
            }
            Some(ceiling) if ceiling.connections < wanted as u64 => {
                let allowed = ceiling.connections as usize;
                self.note(format!("Only {} connections: {}.", group(allowed), ceiling.reason));
                Ok(allowed)
            }
            _ => Ok(wanted),
        }
    }

    fn start_client(&self, connections: usize, ready: &Ready) -> Result<Helper, Failure> {
        // Half of the machine is the server's; more threads than a few have nothing to do.
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        let threads = (cpus / 2).clamp(1, 8).min(connections);
        let mut args = vec![CLIENT_COMMAND.to_owned()];
        args.extend([connections.to_string(), self.options.seconds.to_string()]);
        args.push(threads.to_string());
        args.extend(ready.addresses.iter().map(ToString::to_string));
        Helper::start("client", "threads", &args)
    }

    /// Waits until all connections are open that can be; returns their number.
    fn connect(
        &mut self,
        server: &mut Helper,
        client: &mut Helper,
        mode: &str,
        wanted: usize,
    ) -> Result<usize, Trouble> {
        let title = self.system.title();
        self.progress.phase(&format!("{title}: opening {} connections", group(wanted)));
        let mut most = 0;
        let (open, first_error) = loop {
            match client.hear()? {
                Message::Connecting(count) => {
                    most = count;
                    self.progress.update(&format!("{title}: {} connections open", group(count)));
                    if server.is_alive() {
                        continue;
                    }
                    break (0, None);
                }
                Message::Connected { open, first_error } => break (open, first_error),
                other => return Err(Trouble::Fatal(out_of_turn(&other))),
            }
        };
        if !server.is_alive() {
            let cause = server.obituary();
            // Running out of threads can end a process; nothing excuses the coroutines' runtime.
            return Err(match mode {
                "threads" => Trouble::Overloaded { open: most.max(open), cause },
                _ => Trouble::Fatal(format!("with {} connections {cause}", most.max(open))),
            });
        }
        let cause = server.last_error().or(first_error).unwrap_or_default();
        if open == 0 {
            return Err(Trouble::Fatal(format!("the client could not connect: {cause}")));
        }
        if open < wanted {
            let (open, wanted) = (group(open), group(wanted));
            self.note(format!(
                "Only {open} connections of {wanted} could be opened: {cause}. \
                 `ulimit -a` shows most limits."
            ));
        }
        Ok(open)
    }

    /// Follows the load to its end.
    fn watch(&mut self, server: &Helper, client: &mut Helper) -> Result<Watched, Failure> {
        let title = self.system.title();
        let (mut rate, mut peak, mut last) = (Vec::new(), 0, (0.0, 0));
        loop {
            match client.hear()? {
                Message::Tick { seconds, replies } => {
                    // The end of the load has no full tick: what trickles in then is no rate.
                    let now = (replies - last.1) as f64 / (seconds - last.0);
                    if seconds <= self.options.seconds + 0.02 {
                        rate.push((seconds, now));
                    }
                    last = (seconds, replies);
                    self.progress.update(&format!(
                        "{title}: {seconds:.1} s of load, {} requests/s",
                        group(now as usize)
                    ));
                    // A server that is gone is found at the end; here it only has no memory.
                    peak = peak.max(sample::rss(server.pid()).unwrap_or(0));
                }
                Message::Finished(load) => return Ok(Watched { load, rate, peak_rss: peak }),
                other => return Err(out_of_turn(&other)),
            }
        }
    }
}

fn out_of_turn(message: &Message) -> Failure {
    format!("the client spoke out of turn: {message:?}")
}
