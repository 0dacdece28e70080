//! The library that `lisle run` preloads defines what the tables say, and nothing else: whatever it
//! defines, programs get instead of their own.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

use std::collections::BTreeSet;
use std::path::Path;

use lisle_hook::table;
use object::elf::{FileHeader64, SHT_DYNSYM};
use object::read::elf::{FileHeader, Sym};
use object::{Endianness, elf};

/// Names of the linker's, by which the library finds its own list of originals.
const OWN: [&str; 2] = ["__start_lisle_real", "__stop_lisle_real"];

/// The newest library beside the command, as the command itself finds it.
fn library() -> Vec<u8> {
    let folder = Path::new(env!("CARGO_BIN_EXE_lisle")).parent().unwrap();
    let paths = [".", "deps"].map(|name| folder.join(name).join("liblisle_preload.so"));
    let made = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    let newest = paths.iter().filter(|path| path.exists()).max_by_key(|path| made(path));
    std::fs::read(newest.expect("it was built with the command")).unwrap()
}

#[test]
fn the_library_defines_what_the_tables_say() {
    let file = library();
    let header = FileHeader64::<Endianness>::parse(&*file).unwrap();
    let endian = header.endian().unwrap();
    let sections = header.sections(endian, &*file).unwrap();
    let symbols = sections.symbols(endian, &*file, SHT_DYNSYM).unwrap();
    let visible = symbols.iter().filter(|symbol| {
        let is_ours = !symbol.is_undefined(endian) && !symbol.is_local();
        is_ours && symbol.st_visibility() == elf::STV_DEFAULT
    });
    let name = |symbol: &elf::Sym64<Endianness>| {
        String::from_utf8_lossy(symbol.name(endian, symbols.strings()).unwrap()).into_owned()
    };
    let mut defined: BTreeSet<String> = visible.map(name).collect();
    for own in OWN {
        defined.remove(own);
    }
    // Where variadic hooks go on, under names of Lisle's own.
    defined.retain(|name| !name.starts_with("lisle_"));
    let rows = table::rows().chain(table::RUN.rows);
    let told: BTreeSet<String> =
        rows.flat_map(|row| row.symbols.split_whitespace()).map(str::to_owned).collect();
    let untold: Vec<_> = defined.difference(&told).collect();
    assert!(untold.is_empty(), "defined, and in no table of crates/hook/src/table: {untold:?}");
    let missing: Vec<_> = told.difference(&defined).collect();
    assert!(missing.is_empty(), "in crates/hook/src/table, and not defined: {missing:?}");
}
