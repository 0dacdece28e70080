//! Hooks of look-ups of names: hosts, users and the like. All happen inside of the C library, which
//! reads files and asks servers.

use super::{Family, Row};

pub(super) const HOSTS: Family = Family {
    title: "Names of hosts",
    rows: &[
        Row {
            symbols: "getaddrinfo",
            how: "a hop, unless host and service are in digits",
            differs: "",
        },
        Row {
            symbols: "getnameinfo gethostbyname gethostbyname2 gethostbyaddr \
                      gethostbyname_r gethostbyname2_r gethostbyaddr_r gethostent gethostent_r \
                      sethostent endhostent gethostid sethostid",
            how: "a hop",
            differs: "",
        },
        Row {
            symbols: "getnetbyname getnetbyname_r getnetbyaddr getnetbyaddr_r getnetent \
                      getnetent_r setnetent endnetent getservbyname getservbyname_r getservbyport \
                      getservbyport_r getservent getservent_r setservent endservent getprotobyname \
                      getprotobyname_r getprotobynumber getprotobynumber_r getprotoent \
                      getprotoent_r setprotoent endprotoent getrpcbyname getrpcbyname_r \
                      getrpcbynumber getrpcbynumber_r getrpcent getrpcent_r setrpcent endrpcent \
                      ether_hostton ether_ntohost",
            how: "a hop",
            differs: "",
        },
        Row {
            symbols: "res_query res_search res_querydomain res_send res_nquery res_nsearch \
                      res_nquerydomain res_nsend __res_query __res_search __res_querydomain \
                      __res_send __res_nquery __res_nsearch __res_nquerydomain __res_nsend \
                      __res_init __res_ninit",
            how: "a hop",
            differs: "",
        },
        Row {
            symbols: "rcmd rcmd_af rexec rexec_af ruserok ruserok_af iruserok iruserok_af",
            how: "a hop",
            differs: "",
        },
    ],
};

pub(super) const USERS: Family = Family {
    title: "Users and groups",
    rows: &[
        Row {
            symbols: "getpwnam getpwnam_r getpwuid getpwuid_r getpwent getpwent_r setpwent \
                      endpwent fgetpwent fgetpwent_r putpwent getpw getspnam getspnam_r getspent \
                      getspent_r setspent endspent fgetspent fgetspent_r putspent getsgnam \
                      getsgnam_r getsgent getsgent_r setsgent endsgent fgetsgent fgetsgent_r \
                      putsgent lckpwdf",
            how: "a hop",
            differs: "",
        },
        Row {
            symbols: "getgrnam getgrnam_r getgrgid getgrgid_r getgrent getgrent_r setgrent \
                      endgrent fgetgrent fgetgrent_r putgrent getgrouplist initgroups innetgr \
                      setnetgrent endnetgrent getnetgrent getnetgrent_r getaliasbyname \
                      getaliasbyname_r getaliasent getaliasent_r setaliasent endaliasent",
            how: "a hop",
            differs: "",
        },
        Row {
            symbols: "getlogin getlogin_r __getlogin_r_chk cuserid getpass getutent getutent_r \
                      getutid getutid_r getutline getutline_r pututline setutent endutent utmpname \
                      updwtmp getutxent getutxid getutxline pututxline setutxent endutxent \
                      utmpxname updwtmpx login logout logwtmp",
            how: "a hop",
            differs: "",
        },
    ],
};

pub(super) const TABLES: Family = Family {
    title: "Tables in files",
    rows: &[Row {
        symbols: "setmntent getmntent getmntent_r addmntent endmntent __setmntent \
                      __getmntent_r __endmntent getfsent getfsspec getfsfile setfsent getttyent \
                      getttynam setttyent getusershell setusershell",
        how: "a hop",
        differs: "",
    }],
};
