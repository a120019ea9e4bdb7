//! Results for people: text on the terminal, pages for the browser. It never measures or judges.

pub mod compared;
pub mod html;
pub mod searched;
mod table;
pub mod text;
pub mod units;
