//! How far restic steps back for everybody else.
//!
//! Only restic does: what svc does itself, such as freezing files and starting services again, is what somebody waits for.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::installed::find;
use super::process::Job;
use crate::config::{IoClass, Limits};

/// The same job with these limits, by programs that set them and then become restic: the process is the same. One that is
/// not installed is left out.
pub(super) fn step_back(job: Job, limits: &Limits, path: &OsStr) -> Job {
    let words = [nice(limits), ionice(limits)].into_iter().fold(Vec::new(), |mut words, argv| {
        if let Some((program, arguments)) = argv.split_first()
            && let Ok(program) = find(Path::new(program), path)
        {
            words.push(program.into_os_string());
            words.extend(arguments.iter().map(OsString::from));
        }
        words
    });
    let mut words = words.into_iter();
    let Some(program) = words.next() else { return job };
    let arguments = words.chain([job.program.into_os_string()]).chain(job.arguments).collect();
    Job { program: program.into(), arguments, ..job }
}

fn nice(limits: &Limits) -> Vec<String> {
    vec!["nice".to_owned(), "-n".to_owned(), limits.nice.to_string()]
}

fn ionice(limits: &Limits) -> Vec<String> {
    // Numbers of ioprio_set(2). The idle class has no places.
    let words = match limits.io_class {
        IoClass::BestEffort => format!("ionice -c 2 -n {}", limits.io_priority),
        IoClass::Idle => "ionice -c 3".to_owned(),
    };
    words.split(' ').map(str::to_owned).collect()
}
