//! Not hooked: names, libraries, locales.

use crate::table::Unhooked;

pub(super) const NAMES: &[Unhooked] = &[
    Unhooked {
        what: "loading libraries",
        symbols: "dlopen dlmopen dlclose dlsym dlvsym dladdr dladdr1 dlinfo dl_iterate_phdr \
                  backtrace __backtrace backtrace_symbols __backtrace_symbols",
        why: "reads the library from disk, or waits for the loader's lock while another thread \
              does",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "locales, translations, converters, time zones",
        symbols: "setlocale newlocale __newlocale duplocale __duplocale freelocale __freelocale \
                  iconv_open gettext dgettext __dgettext dcgettext __dcgettext ngettext dngettext \
                  dcngettext textdomain bindtextdomain bind_textdomain_codeset tzset localtime \
                  localtime_r ctime ctime_r gmtime gmtime_r __gmtime_r mktime timelocal timegm \
                  strftime strftime_l __strftime_l wcsftime wcsftime_l __wcsftime_l strptime \
                  strptime_l getdate getdate_r",
        why: "reads a file when first asked, and waits for a lock of the C library while another \
              thread does",
        remedy: "ask once at the start",
    },
    Unhooked {
        what: "users and groups",
        symbols: "getpwnam getpwnam_r getpwuid getpwuid_r getpwent getpwent_r setpwent endpwent \
                  getpw getgrnam getgrnam_r getgrgid getgrgid_r getgrent getgrent_r setgrent \
                  endgrent getgrouplist initgroups getspnam getspnam_r getspent getspent_r \
                  setspent endspent getsgnam getsgnam_r getsgent getsgent_r setsgent endsgent \
                  getnetgrent getnetgrent_r setnetgrent endnetgrent innetgr getaliasbyname \
                  getaliasbyname_r getaliasent getaliasent_r setaliasent endaliasent \
                  __nss_configure_lookup __nss_database_lookup __nss_group_lookup \
                  __nss_hosts_lookup __nss_next __nss_passwd_lookup",
        why: "asks files and servers inside of the C library: `/etc`, sockets of name service \
              daemons, DNS",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "hosts, networks, services",
        symbols: "gethostbyname2 gethostbyname_r gethostbyname2_r gethostbyaddr gethostbyaddr_r \
                  gethostent gethostent_r sethostent endhostent getnetbyname getnetbyname_r \
                  getnetbyaddr getnetbyaddr_r getnetent getnetent_r setnetent endnetent \
                  getprotobyname getprotobyname_r getprotobynumber getprotobynumber_r getprotoent \
                  getprotoent_r setprotoent endprotoent getservbyname getservbyname_r \
                  getservbyport getservbyport_r getservent getservent_r setservent endservent \
                  getrpcbyname getrpcbyname_r getrpcbynumber getrpcbynumber_r getrpcent \
                  getrpcent_r setrpcent endrpcent ether_hostton ether_ntohost gethostid sethostid \
                  __nss_hostname_digits_dots",
        why: "asks files and servers inside of the C library: `/etc`, sockets of name service \
              daemons, DNS",
        remedy: "`getaddrinfo`, or `lisle::blocking`",
    },
    Unhooked {
        what: "lookups in the background",
        symbols: "getaddrinfo_a gai_suspend gai_cancel gai_error",
        why: "`gai_suspend`, and `getaddrinfo_a` with `GAI_WAIT`, wait in a futex inside of the C \
              library; the others take its lock",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "the resolver",
        symbols: "__res_init __res_ninit __res_nclose __res_close res_mkquery __res_mkquery \
                  res_nmkquery __res_nmkquery res_query __res_query res_nquery __res_nquery \
                  res_search __res_search res_nsearch __res_nsearch res_querydomain \
                  __res_querydomain res_nquerydomain __res_nquerydomain res_send __res_send \
                  res_nsend __res_nsend res_gethostbyname res_gethostbyname2 res_gethostbyaddr \
                  _gethtbyname _gethtbyname2 _gethtbyaddr _gethtent _sethtent __res_hostalias \
                  __hostalias",
        why: "asks servers of DNS with sockets of the C library's own",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "network interfaces",
        symbols: "getifaddrs if_nameindex if_nametoindex if_indextoname getsourcefilter \
                  setsourcefilter getipv4sourcefilter setipv4sourcefilter",
        why: "asks the kernel, which may have to wait for the lock of its network set-up",
        remedy: "`lisle::blocking` where it matters",
    },
    Unhooked {
        what: "remote shells",
        symbols: "rcmd rcmd_af rexec rexec_af ruserok ruserok_af iruserok iruserok_af __ivaliduser \
                  rresvport rresvport_af bindresvport",
        why: "connects, reads and writes inside of the C library",
        remedy: "`lisle::blocking`",
    },
];
