//! The dashboard of svc, and the words and figures that every front end shares.

pub mod figures;
pub mod live;
pub mod text;
pub mod words;
