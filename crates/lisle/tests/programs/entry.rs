//! The program that `macros.rs` builds and runs: a real `main`, and the ways it can end.

use std::error::Error;
use std::io::Read;
use std::time::Duration;

#[lisle::main]
fn main() -> Result<(), Box<dyn Error>> {
    let name = lisle::current().name().map(str::to_owned);
    println!("on the main thread: {}", name.as_deref() == Some("main"));
    match std::env::args().nth(1).as_deref() {
        Some("value") => assert_eq!(lisle::spawn(|| 6 * 7).join().unwrap(), 42),
        Some("error") => return Err("gone wrong".into()),
        Some("panic") => panic!("gone badly wrong"),
        Some("early") => {
            lisle::spawn(|| std::thread::sleep(Duration::from_secs(3600)));
            lisle::spawn(|| std::io::pipe().map(|(mut end, _kept)| end.read(&mut [0; 1])));
            lisle::spawn(|| {
                loop {
                    lisle::yield_now();
                }
            });
            lisle::yield_now();
        }
        other => return Err(format!("unknown way to end: {other:?}").into()),
    }
    println!("the end");
    Ok(())
}
