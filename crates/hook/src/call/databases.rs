//! Users, groups and the other databases of the C library: files, or servers behind modules of the
//! name service switch. All on a spare carrier.

use std::ffi::{c_char, c_int, c_long, c_void};

use libc::{FILE, gid_t, group, passwd, size_t, spwd, uid_t};

use crate::define::elsewhere;

/// Where an entry is kept whose layout does not matter here.
type Place = *mut c_void;
type Name = *const c_char;
type Text = *mut c_char;

// Users.
elsewhere! {
    getpwnam(name: Name) -> *mut passwd;
    getpwnam_r(name: Name, place: Place, text: Text, len: size_t, found: *mut *mut passwd) -> c_int;
    getpwuid(id: uid_t) -> *mut passwd;
    getpwuid_r(id: uid_t, place: Place, text: Text, len: size_t, found: *mut *mut passwd) -> c_int;
    getpwent() -> *mut passwd;
    getpwent_r(place: Place, text: Text, len: size_t, found: *mut *mut passwd) -> c_int;
    setpwent() -> ();
    endpwent() -> ();
    fgetpwent(file: *mut FILE) -> *mut passwd;
    fgetpwent_r(
        file: *mut FILE,
        place: Place,
        text: Text,
        len: size_t,
        found: *mut *mut passwd,
    ) -> c_int;
    putpwent(entry: *const passwd, file: *mut FILE) -> c_int;
    getpw(id: uid_t, text: Text) -> c_int;
    getspnam(name: Name) -> *mut spwd;
    getspnam_r(name: Name, place: Place, text: Text, len: size_t, found: *mut *mut spwd) -> c_int;
    getspent() -> *mut spwd;
    getspent_r(place: Place, text: Text, len: size_t, found: *mut *mut spwd) -> c_int;
    setspent() -> ();
    endspent() -> ();
    fgetspent(file: *mut FILE) -> *mut spwd;
    fgetspent_r(
        file: *mut FILE,
        place: Place,
        text: Text,
        len: size_t,
        found: *mut *mut spwd,
    ) -> c_int;
    putspent(entry: *const spwd, file: *mut FILE) -> c_int;
    getsgnam(name: Name) -> Place;
    getsgnam_r(name: Name, place: Place, text: Text, len: size_t, found: *mut Place) -> c_int;
    getsgent() -> Place;
    getsgent_r(place: Place, text: Text, len: size_t, found: *mut Place) -> c_int;
    fgetsgent(file: *mut FILE) -> Place;
    fgetsgent_r(file: *mut FILE, place: Place, text: Text, len: size_t, found: *mut Place)
        -> c_int;
    putsgent(entry: *const c_void, file: *mut FILE) -> c_int;
    setsgent() -> ();
    endsgent() -> ();
    lckpwdf() -> c_int;
    getlogin() -> Text;
    getlogin_r(text: Text, len: size_t) -> c_int;
    __getlogin_r_chk(text: Text, len: size_t, room: size_t) -> c_int;
    cuserid(text: Text) -> Text;
    getpass(prompt: Name) -> Text;
}

// Groups.
elsewhere! {
    getgrnam(name: Name) -> *mut group;
    getgrnam_r(name: Name, place: Place, text: Text, len: size_t, found: *mut *mut group) -> c_int;
    getgrgid(id: gid_t) -> *mut group;
    getgrgid_r(id: gid_t, place: Place, text: Text, len: size_t, found: *mut *mut group) -> c_int;
    getgrent() -> *mut group;
    getgrent_r(place: Place, text: Text, len: size_t, found: *mut *mut group) -> c_int;
    setgrent() -> ();
    endgrent() -> ();
    fgetgrent(file: *mut FILE) -> *mut group;
    fgetgrent_r(
        file: *mut FILE,
        place: Place,
        text: Text,
        len: size_t,
        found: *mut *mut group,
    ) -> c_int;
    putgrent(entry: *const group, file: *mut FILE) -> c_int;
    getgrouplist(name: Name, id: gid_t, list: *mut gid_t, count: *mut c_int) -> c_int;
    initgroups(name: Name, id: gid_t) -> c_int;
    innetgr(netgroup: Name, host: Name, user: Name, domain: Name) -> c_int;
    setnetgrent(netgroup: Name) -> c_int;
    endnetgrent() -> ();
    getnetgrent(host: *mut Text, user: *mut Text, domain: *mut Text) -> c_int;
    getnetgrent_r(host: *mut Text, user: *mut Text, domain: *mut Text, text: Text, len: size_t)
        -> c_int;
}

// Who is logged in: files that are locked while they are used.
elsewhere! {
    getutent() -> Place;
    getutent_r(place: Place, found: *mut Place) -> c_int;
    getutid(key: *const c_void) -> Place;
    getutid_r(key: *const c_void, place: Place, found: *mut Place) -> c_int;
    getutline(key: *const c_void) -> Place;
    getutline_r(key: *const c_void, place: Place, found: *mut Place) -> c_int;
    pututline(entry: *const c_void) -> Place;
    setutent() -> ();
    endutent() -> ();
    utmpname(path: Name) -> c_int;
    updwtmp(path: Name, entry: *const c_void) -> ();
    getutxent() -> Place;
    getutxid(key: *const c_void) -> Place;
    getutxline(key: *const c_void) -> Place;
    pututxline(entry: *const c_void) -> Place;
    setutxent() -> ();
    endutxent() -> ();
    utmpxname(path: Name) -> c_int;
    updwtmpx(path: Name, entry: *const c_void) -> ();
    login(entry: *const c_void) -> ();
    logout(line: Name) -> c_int;
    logwtmp(line: Name, user: Name, host: Name) -> ();
    gethostid() -> c_long;
    sethostid(id: c_long) -> c_int;
}

// Other tables.
elsewhere! {
    getaliasbyname(name: Name) -> Place;
    getaliasbyname_r(name: Name, place: Place, text: Text, len: size_t, found: *mut Place)
        -> c_int;
    getaliasent() -> Place;
    getaliasent_r(place: Place, text: Text, len: size_t, found: *mut Place) -> c_int;
    setaliasent() -> ();
    endaliasent() -> ();
    ether_hostton(name: Name, address: Place) -> c_int;
    ether_ntohost(name: Text, address: *const c_void) -> c_int;
    getrpcbyname(name: Name) -> Place;
    getrpcbyname_r(name: Name, place: Place, text: Text, len: size_t, found: *mut Place) -> c_int;
    getrpcbynumber(number: c_int) -> Place;
    getrpcbynumber_r(number: c_int, place: Place, text: Text, len: size_t, found: *mut Place)
        -> c_int;
    getrpcent() -> Place;
    getrpcent_r(place: Place, text: Text, len: size_t, found: *mut Place) -> c_int;
    setrpcent(stay: c_int) -> ();
    endrpcent() -> ();
}
