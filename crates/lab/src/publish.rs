//! Keeping a run: `DIR/<date>-<host>/` with `raw.csv` and `summary.md`, and `fair.svg` if the run
//! has figures of that case.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::plot;

/// Writes the files and returns their folder.
pub(crate) fn publish(dir: &Path, host: &str, csv: &str, summary: &str) -> Result<PathBuf, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if host.is_empty() || !host.chars().all(plain) {
        return Err(format!("not a plain name: --host {host}"));
    }
    let folder = dir.join(format!("{}-{host}", today()));
    let picture = plot::fairness(csv)?;
    let write = || {
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("raw.csv"), csv)?;
        fs::write(folder.join("summary.md"), summary)?;
        picture.map_or(Ok(()), |picture| fs::write(folder.join("fair.svg"), picture))
    };
    write().map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// Draws the picture of a CSV beside it, under its name with `.svg`.
pub(crate) fn draw(csv: &Path) -> Result<PathBuf, String> {
    let failed = |path: &Path, error: io::Error| format!("{}: {error}", path.display());
    let figures = fs::read_to_string(csv).map_err(|error| failed(csv, error))?;
    let picture = plot::fairness(&figures).map_err(|why| format!("{}: {why}", csv.display()))?;
    let picture =
        picture.ok_or("of the case `fair` alone there is a picture, and it is not here")?;
    let path = csv.with_extension("svg");
    fs::write(&path, picture).map_err(|error| failed(&path, error))?;
    Ok(path)
}

/// Today's date, UTC.
pub(crate) fn today() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    date(now.as_secs() / 86_400)
}

/// The date of a day since 1970. Years are counted from March, so that leap days come last.
fn date(day: u64) -> String {
    let day = day + 719_468;
    let (era, day_of_era) = (day / 146_097, day % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..10 => (era * 400 + year_of_era, month + 3),
        _ => (era * 400 + year_of_era + 1, month - 9),
    };
    format!("{year:04}-{month:02}-{day_of_month:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_days() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(19_782), "2024-02-29");
        assert_eq!(date(20_453), "2025-12-31");
        assert_eq!(date(20_454), "2026-01-01");
    }

    #[test]
    fn host_is_a_plain_name() {
        assert!(publish(Path::new("/nowhere"), "../x", "", "").is_err());
    }
}
