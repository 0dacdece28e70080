//! Hooks of calls that run programs, load libraries and write the system's log.

use super::{Family, Row};

pub(super) const PROGRAMS: Family = Family {
    title: "Programs and libraries",
    rows: &[
        Row {
            symbols: "system posix_spawn posix_spawnp pidfd_spawn pidfd_spawnp",
            how: "a hop",
            differs: "children inherit signal mask and priority from a spare carrier; those are \
                      the workers' own unless a coroutine changed them on one without pinning \
                      itself",
        },
        Row {
            symbols: "popen pclose _IO_popen",
            how: "a hop; what was known of the number is void. `pclose`: coroutines that wait for \
                  the old file get a duplicate",
            differs: "as `system`",
        },
        Row {
            symbols: "dlopen dlmopen",
            how: "a hop if the caller is the executable, or the name has a folder in it and no \
                  `$`. Else in place, entered with the caller's own return address, so that the \
                  caller's search path and `$ORIGIN` count",
            differs: "in place it blocks its worker. Constructors run on the spare carrier",
        },
        Row { symbols: "dlclose", how: "a hop", differs: "destructors run on the spare carrier" },
        Row {
            symbols: "setlocale newlocale __newlocale iconv_open catopen getdate getdate_r",
            how: "a hop; `setlocale` without a name: plain",
            differs: "",
        },
    ],
};

pub(super) const LOGS: Family = Family {
    title: "Logs",
    rows: &[Row {
        symbols: "openlog closelog syslog vsyslog __syslog_chk __vsyslog_chk fmtmsg",
        how: "a hop",
        differs: "",
    }],
};
