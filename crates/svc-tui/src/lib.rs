//! The dashboard of svc, and the words and figures that every front end shares.

mod dashboard;
pub mod figures;
pub mod live;
pub mod run_screen;
pub mod steps;
pub mod story;
mod terminal;
pub mod text;
mod theme;
pub mod words;

pub use dashboard::run;
