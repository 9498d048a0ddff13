//! Finding each other without configuration.

use super::{
    meeting,
    sheet::{Figure, Sheet, Side},
};

/// Measures one round.
pub fn measure(sheet: &mut Sheet) {
    match meeting::run() {
        Ok((found, joined)) => {
            sheet.take(Figure::Discovery, Side::Ours, found.as_secs_f64());
            sheet.take(Figure::Joined, Side::Ours, joined.as_secs_f64());
        }
        Err(error) => sheet.fail("discovery", &error),
    }
}
