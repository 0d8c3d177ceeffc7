//! Placeholder.

#[expect(dead_code, reason = "the verbs that use it come next")]
#[cfg_attr(not(test), expect(unused_imports, reason = "the verbs that use it come next"))]
mod render;

fn main() {}
