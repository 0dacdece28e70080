//! Not hooked: names, libraries, locales.

use crate::table::Unhooked;

pub(super) const NAMES: &[Unhooked] = &[
    Unhooked {
        what: "what the loader knows",
        symbols: "dlsym dlvsym dladdr dladdr1 dlinfo dl_iterate_phdr backtrace __backtrace \
                  backtrace_symbols __backtrace_symbols",
        why: "waits for the loader's lock while another thread loads a library; the first \
              `backtrace` loads one",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "locales, translations, time zones",
        symbols: "duplocale __duplocale freelocale __freelocale gettext dgettext __dgettext \
                  dcgettext __dcgettext ngettext dngettext dcngettext textdomain bindtextdomain \
                  bind_textdomain_codeset tzset localtime localtime_r ctime ctime_r gmtime \
                  gmtime_r __gmtime_r mktime timelocal timegm strftime strftime_l __strftime_l \
                  wcsftime wcsftime_l __wcsftime_l strptime strptime_l",
        why: "reads a file when first asked, and waits for a lock of the C library while another \
              thread does",
        remedy: "ask once at the start",
    },
    Unhooked {
        what: "inner functions of look-ups",
        symbols: "__nss_configure_lookup __nss_database_lookup __nss_group_lookup \
                  __nss_hosts_lookup __nss_next __nss_passwd_lookup __nss_hostname_digits_dots",
        why: "loads modules of the name service switch. Old modules and programs call these",
        remedy: "the calls they are part of, which are hooked",
    },
    Unhooked {
        what: "look-ups in the background",
        symbols: "gai_cancel gai_error",
        why: "takes a lock of the C library that is held briefly; threads of the C library look up",
        remedy: "none is needed",
    },
    Unhooked {
        what: "the resolver under old names",
        symbols: "__res_nclose __res_close res_mkquery __res_mkquery res_nmkquery __res_nmkquery \
                  res_gethostbyname res_gethostbyname2 res_gethostbyaddr _gethtbyname \
                  _gethtbyname2 _gethtbyaddr _gethtent _sethtent __res_hostalias __hostalias",
        why: "asks servers of DNS, or reads settings, inside of the C library. Only old programs \
              call most of these",
        remedy: "`res_query`, `getaddrinfo` and kin, which are hooked; or `lisle::blocking`",
    },
    Unhooked {
        what: "network interfaces",
        symbols: "getifaddrs if_nameindex if_nametoindex if_indextoname getsourcefilter \
                  setsourcefilter getipv4sourcefilter setipv4sourcefilter",
        why: "asks the kernel, which answers within the call, but may have to wait for the lock of \
              its network set-up",
        remedy: "`lisle::blocking` where it matters",
    },
    Unhooked {
        what: "remote shells",
        symbols: "__ivaliduser rresvport rresvport_af bindresvport",
        why: "reads a file (`__ivaliduser`), or tries ports until one is free",
        remedy: "`lisle::blocking`",
    },
];
