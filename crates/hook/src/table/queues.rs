//! Hooks of queues and semaphores between processes, and of asynchronous input and output.

use super::{Family, Row};

pub(super) const QUEUES: Family = Family {
    title: "Queues between processes",
    rows: &[
        Row {
            symbols: "semop semtimedop msgsnd msgrcv",
            how: "tried with `IPC_NOWAIT`, then a hop. More than 8 operations: a hop at once",
            differs: "",
        },
        Row {
            symbols: "mq_send mq_timedsend mq_receive mq_timedreceive",
            how: "tried with a deadline that is over, then waited for as a descriptor",
            differs: "the order among those who wait; `mq_notify` fires also while a coroutine \
                      waits. A deadline is converted when the wait begins",
        },
        Row {
            symbols: "mq_open __mq_open_2 mq_close mq_setattr",
            how: "plain, and noted; `mq_close` as `close`",
            differs: "",
        },
    ],
};

pub(super) const ASYNCHRONOUS: Family = Family {
    title: "Asynchronous input and output",
    rows: &[
        Row {
            symbols: "aio_suspend aio_suspend64 lio_listio lio_listio64",
            how: "a hop; `lio_listio` without `LIO_WAIT`: plain",
            differs: "",
        },
        Row {
            symbols: "gai_suspend getaddrinfo_a",
            how: "a hop; `getaddrinfo_a` without `GAI_WAIT`: plain",
            differs: "",
        },
    ],
};
