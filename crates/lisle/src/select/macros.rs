//! The macro [`select!`](crate::select!).
//!
//! ```text
//!   parse    one arm after the other: head, body          rules `parse`, `body`
//!   arm      by its kind, with names of its own           rules `arm`
//!   nest     a `match` for each arm, whose temporaries    rules `nest`
//!            live while it waits; within, the choice
//!   bodies   of the outcomes one is there                 rule `finish`
//! ```
//!
//! All that the arms borrow is given back before a body runs, and bodies are in the caller's
//! function, so that they may `return`, `break` and use `?`.
//!
//! Rejected: a procedural macro. It would say more about mistakes, and be built before everything.

/// Waits for several things, and does what belongs to the one that comes first.
///
/// The syntax is that of crossbeam-channel, with arms for other things than channels:
///
/// | arm | is ready when | result |
/// |-----|---------------|--------|
/// | `recv(receiver) -> result => body` | a value is there, or no sender | of [`recv`][r] |
/// | `send(sender, value) -> result => body` | there is room, or no receiver | of [`send`][s] |
/// | `join(handle) -> result => body` | the coroutine has ended | of [`join`][j] |
/// | `readable(fd) -> result => body` | a read, an accept would not wait | `io::Result<()>` |
/// | `writable(fd) -> result => body` | a write would not wait | `io::Result<()>` |
/// | `cancelled(token) => body` | the [token](crate::CancelToken) is cancelled | |
/// | `default => body` | nothing else is, at once | |
/// | `default(timeout) => body` | nothing else was, for so long | |
/// | `stopped -> stop => body` | the caller is to stop what it does | [`Stop`](crate::Stop) |
///
/// [r]: crate::channel::Receiver::recv
/// [s]: crate::channel::Sender::send
/// [j]: crate::JoinHandle::join
///
/// Of several that are ready one is chosen at random, with equal chances. Nothing is allocated
/// (but for descriptors, which have a wait of their own).
/// Bodies are expressions of one type, which is that of the whole; a comma follows each, unless it
/// is a block.
///
/// The value of a `send` is evaluated before the choice, and dropped if another arm is chosen. The
/// handle of a `join` is a variable (or a field), which is moved out of if it is chosen.
///
/// ```
/// use std::time::Duration;
/// use lisle::{channel, select};
///
/// let (sender, numbers) = channel::unbounded();
/// let (log, logged) = channel::bounded(1);
/// let timeout = channel::after(Duration::from_secs(10));
/// sender.send(5).unwrap();
///
/// let chosen = select! {
///     recv(numbers) -> number => number.unwrap(),
///     recv(timeout) -> _ => panic!("too late"),
/// };
/// assert_eq!(chosen, 5);
///
/// select! {
///     recv(numbers) -> _ => unreachable!("there are no more"),
///     send(log, "five") -> sent => sent.unwrap(),
/// }
/// assert_eq!(logged.recv(), Ok("five"));
///
/// let handle = lisle::spawn(|| 6 * 7);
/// let answer = select! {
///     join(handle) -> answer => answer.unwrap(),
///     default(Duration::from_secs(10)) => 0,
/// };
/// assert_eq!(answer, 42);
/// ```
///
/// Descriptors, which there are on Unix alone, are what is [`AsFd`](std::os::fd::AsFd): sockets,
/// pipes, terminals.
///
/// ```
/// use std::net::{TcpListener, TcpStream};
/// use lisle::{channel, select};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// lisle::spawn(move || TcpStream::connect(address));
/// let (_stop, stops) = channel::rendezvous::<()>();
/// let connection = select! {
///     readable(listener) -> ready => {
///         ready?;
///         Some(listener.accept()?)
///     }
///     recv(stops) -> _ => None,
/// };
/// assert!(connection.is_some());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A loop that serves until it is told to end:
///
/// ```
/// use lisle::{CancelToken, channel, select};
///
/// let (requests, incoming) = channel::unbounded();
/// let shutdown = CancelToken::new();
/// let server = lisle::spawn({
///     let shutdown = shutdown.clone();
///     move || {
///         let mut served = 0;
///         loop {
///             select! {
///                 recv(incoming) -> request => served += request.unwrap_or(0),
///                 cancelled(shutdown) => break served,
///             }
///         }
///     }
/// });
/// requests.send(3).unwrap();
/// while !incoming_is_empty(&requests) {
///     lisle::yield_now();
/// }
/// # fn incoming_is_empty(sender: &channel::Sender<i32>) -> bool { sender.is_empty() }
/// shutdown.cancel();
/// assert_eq!(server.join().unwrap(), 3);
/// ```
///
/// # Panics
///
/// If the caller is to stop, and no arm has an error to say so: there are only joins and tokens.
#[macro_export]
macro_rules! select {
    ($($arms:tt)*) => { $crate::__select!(parse [] () () $($arms)*) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    // Heads: `name(..) -> pattern =>` and what is left out of it.
    (parse $arms:tt $default:tt $stopped:tt) => {
        $crate::__select!(finish $arms $default $stopped)
    };
    (parse $arms:tt $default:tt $stopped:tt , $($rest:tt)*) => {
        $crate::__select!(parse $arms $default $stopped $($rest)*)
    };
    (parse $arms:tt $default:tt $stopped:tt
        $name:ident $(($($args:tt)*))? $(-> $result:pat)? => $($rest:tt)*
    ) => {
        $crate::__select!(body $arms $default $stopped
            ($name ($($($args)*)?) ($($result)?)) $($rest)*)
    };
    // Bodies.
    (body $arms:tt $default:tt $stopped:tt $head:tt $body:block $($rest:tt)*) => {
        $crate::__select!(arm $arms $default $stopped $head ($body) $($rest)*)
    };
    (body $arms:tt $default:tt $stopped:tt $head:tt $body:expr, $($rest:tt)*) => {
        $crate::__select!(arm $arms $default $stopped $head ($body) $($rest)*)
    };
    (body $arms:tt $default:tt $stopped:tt $head:tt $body:expr) => {
        $crate::__select!(arm $arms $default $stopped $head ($body))
    };
    // Kinds. `arm` and `outcome` are other names in each expansion.
    (arm [$($arms:tt)*] $default:tt $stopped:tt
        (recv ($receiver:expr $(,)?) ($result:pat)) ($body:expr) $($rest:tt)*
    ) => {
        $crate::__select!(parse [$($arms)*
            (arm outcome (RecvArm::new(&$receiver)) (taken {
                let $result = taken;
                $body
            }))
        ] $default $stopped $($rest)*)
    };
    (arm [$($arms:tt)*] $default:tt $stopped:tt
        (send ($sender:expr, $value:expr $(,)?) ($result:pat)) ($body:expr) $($rest:tt)*
    ) => {
        $crate::__select!(parse [$($arms)*
            (arm outcome (SendArm::new(&$sender, $value)) (taken {
                let $result = taken;
                $body
            }))
        ] $default $stopped $($rest)*)
    };
    (arm [$($arms:tt)*] $default:tt $stopped:tt
        (join ($handle:expr $(,)?) ($result:pat)) ($body:expr) $($rest:tt)*
    ) => {
        $crate::__select!(parse [$($arms)*
            (arm outcome (JoinArm::new(&$handle)) (taken {
                let () = taken;
                let $result = $handle.join();
                $body
            }))
        ] $default $stopped $($rest)*)
    };
    (arm [$($arms:tt)*] $default:tt $stopped:tt
        (readable ($descriptor:expr $(,)?) ($result:pat)) ($body:expr) $($rest:tt)*
    ) => {
        $crate::__select!(parse [$($arms)*
            (arm outcome (DescriptorArm::readable(&$descriptor)) (taken {
                let $result = taken;
                $body
            }))
        ] $default $stopped $($rest)*)
    };
    (arm [$($arms:tt)*] $default:tt $stopped:tt
        (writable ($descriptor:expr $(,)?) ($result:pat)) ($body:expr) $($rest:tt)*
    ) => {
        $crate::__select!(parse [$($arms)*
            (arm outcome (DescriptorArm::writable(&$descriptor)) (taken {
                let $result = taken;
                $body
            }))
        ] $default $stopped $($rest)*)
    };
    (arm [$($arms:tt)*] $default:tt $stopped:tt
        (cancelled ($token:expr $(,)?) ()) ($body:expr) $($rest:tt)*
    ) => {
        $crate::__select!(parse [$($arms)*
            (arm outcome (CancelledArm::new(&$token)) (taken {
                let () = taken;
                $body
            }))
        ] $default $stopped $($rest)*)
    };
    (arm $arms:tt () $stopped:tt (default () ()) $body:tt $($rest:tt)*) => {
        $crate::__select!(parse $arms (($crate::select::hidden::Patience::None) $body) $stopped
            $($rest)*)
    };
    (arm $arms:tt () $stopped:tt (default ($timeout:expr $(,)?) ()) $body:tt $($rest:tt)*) => {
        $crate::__select!(parse $arms (($crate::select::hidden::Patience::of($timeout)) $body)
            $stopped $($rest)*)
    };
    (arm $arms:tt $default:tt () (stopped () ($stop:pat)) ($body:expr) $($rest:tt)*) => {
        $crate::__select!(parse $arms $default (stop {
            let $stop = stop;
            $body
        }) $($rest)*)
    };
    (arm $arms:tt $default:tt $stopped:tt ($name:ident $args:tt $result:tt) $($rest:tt)*) => {
        compile_error!(concat!(
            "`", stringify!($name), "` is no arm of `select!`, is there twice, or is incomplete: \
            there are recv(receiver) -> result, send(sender, value) -> result, \
            join(handle) -> result, readable(fd) -> result, writable(fd) -> result, \
            cancelled(token), default, default(timeout), stopped -> stop"
        ))
    };
    // The choice; without a default it takes as long as it takes.
    (finish $arms:tt () $stopped:tt) => {
        $crate::__select!(finish $arms (
            ($crate::select::hidden::Patience::Endless)
            (unreachable!("there is no default"))
        ) $stopped)
    };
    (finish $arms:tt $default:tt ()) => {
        $crate::__select!(finish $arms $default (stop
            { panic!("a choice among joins and tokens alone is to stop: {stop:?}") }
        ) false)
    };
    (finish $arms:tt $default:tt ($($stopped:tt)*)) => {
        $crate::__select!(finish $arms $default ($($stopped)*) true)
    };
    (finish [$(($arm:ident $outcome:ident $new:tt ($taken:ident $body:expr)))*]
        (($patience:expr) ($default:expr)) ($stop:ident $stopped:expr) $tells:expr
    ) => {{
        let patience = $patience;
        let ($($outcome,)* chosen) =
            $crate::__select!(nest [$(($arm $new))*] [$($arm)*] patience $tells);
        $(if let ::core::option::Option::Some($taken) = $outcome {
            $body
        } else)* if let $crate::select::hidden::Chosen::Stopped($stop) = chosen {
            $stopped
        } else {
            $default
        }
    }};
    (nest [] [$($arm:ident)*] $patience:ident $tells:expr) => {{
        let chosen = $crate::select::hidden::choose([$($arm.case()),*], $patience, $tells);
        ($($arm.outcome(),)* chosen)
    }};
    (nest [($arm:ident ($($new:tt)*)) $($rest:tt)*] $arms:tt $patience:ident $tells:expr) => {
        match $crate::select::hidden::$($new)* {
            mut $arm => $crate::__select!(nest [$($rest)*] $arms $patience $tells),
        }
    };
    ($($wrong:tt)*) => {
        compile_error!("`select!` wants arms like `recv(receiver) -> result => body,`")
    };
}
