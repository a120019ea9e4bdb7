//! Tables that are reviewed: what is computed now has to be what was read last, to the character.
//! It never measures the machine; such tables are in virtual time.

use std::path::Path;
use std::{env, fs};

/// Compares `table` with the file of that name beside this one; `RINGBOOT_SIM_UPDATE=1` writes it anew.
pub fn compare(table: &str, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/simulation")
        .join(name);
    if env::var_os("RINGBOOT_SIM_UPDATE").is_some() {
        fs::write(&path, table).expect("the table can be written");
    }
    let reviewed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        table == reviewed,
        "the table is now:\n{table}\nRINGBOOT_SIM_UPDATE=1 accepts it"
    );
}
