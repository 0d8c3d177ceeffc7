use insta::assert_snapshot;

use super::{Paper, backup, restore, show};
use crate::render::plain::Plain;

fn plain(run: &[svc_core::event::Event], width: usize) -> String {
    let paper = Paper::default();
    show(run, &mut Plain::new(paper.clone(), width));
    paper.text()
}

#[test]
fn a_backup_is_a_plan_then_calm_lines_then_a_table() {
    assert_snapshot!(plain(&backup(), 80), @r"
    Backup of 3 services to remote

      service     plan
      paperless   stop 3, save to remote (last 2.8 GiB), start 3 again
      music       save to remote (for the first time)
      watchtower  nothing: none of these repositories takes it

    music       failed: `/srv/music` is gone
    music       failed after 0.0 s
    watchtower  skipped: none of these repositories takes it
    paperless   stopped `paperless-web` in 2.0 s
    paperless   stopped `paperless-db`, `paperless-broker` in 1.3 s
    paperless   backing up to remote
    paperless   33 %, 955.7 MiB of 2.8 GiB, 95.6 MiB/s, 21 s left
    paperless   66 %, 1.9 GiB of 2.8 GiB, 95.6 MiB/s, 11 s left
    paperless   100 %, 2.8 GiB of 2.8 GiB, 95.6 MiB/s, 0 s left
    paperless   saved snapshot 4f1c9a2b in remote: 12,400 files, 2.8 GiB, 31.0 MiB added, in 32 s
    paperless   started `paperless-db`, `paperless-broker` in 1.3 s
    paperless   works after 3.1 s
    paperless   started `paperless-web` in 0.7 s
    paperless   note: container `paperless-web` was restarted by its own policy
    paperless   works after 7.6 s
    paperless   ok after 48 s, down for 39 s

      service     result   snapshot   files     size     added  downtime   took
      paperless   ok       4f1c9a2b  12,400  2.8 GiB  31.0 MiB      39 s   48 s
      music       failed                                                  0.0 s
      watchtower  skipped

    3 services: 1 ok, 1 failed, 1 skipped, in 48 s
    ");
}

#[test]
fn a_restore_tells_each_step_and_where_the_old_data_is() {
    assert_snapshot!(plain(&restore(), 80), @r"
    Restore of paperless from local: the latest good snapshot

      service    plan
      paperless  stage 2.8 GiB of snapshot 4f1c9a2b, stop 1, exchange 1 tree, start
                 1 again

    paperless  staging snapshot 4f1c9a2b from local
    paperless  49 %, 1.4 GiB of 2.8 GiB, 143 MiB/s, 11 s left
    paperless  100 %, 2.8 GiB of 2.8 GiB, 143 MiB/s, 0 s left
    paperless  staged 2.8 GiB in 21 s
    paperless  verified in 0.7 s
    paperless  stopped `docker-paperless.service` in 3.1 s
    paperless  the restored data is in place
    paperless  started `docker-paperless.service` in 1.8 s
    paperless  works after 4.4 s
    paperless  ok after 31 s, down for 5.0 s

      service    result  snapshot   files     size  downtime  took
      paperless  ok      4f1c9a2b  12,400  2.8 GiB     5.0 s  31 s

    1 service: 1 ok, in 31 s
    The old data of `paperless` is kept in `/var/lib/docker/volumes/.svc-stage-paperless-20261120T090000Z`
    ");
}

#[test]
fn in_forty_columns_the_tables_wrap_and_leave_out_what_matters_least() {
    assert_snapshot!(plain(&backup(), 40), @r"
    Backup of 3 services to remote

      service     plan
      paperless   stop 3, save to remote
                  (last 2.8 GiB), start 3
                  again
      music       save to remote (for the
                  first time)
      watchtower  nothing: none of these
                  repositories takes it

    music       failed: `/srv/music` is gone
    music       failed after 0.0 s
    watchtower  skipped: none of these repositories takes it
    paperless   stopped `paperless-web` in 2.0 s
    paperless   stopped `paperless-db`, `paperless-broker` in 1.3 s
    paperless   backing up to remote
    paperless   33 %, 955.7 MiB of 2.8 GiB, 95.6 MiB/s, 21 s left
    paperless   66 %, 1.9 GiB of 2.8 GiB, 95.6 MiB/s, 11 s left
    paperless   100 %, 2.8 GiB of 2.8 GiB, 95.6 MiB/s, 0 s left
    paperless   saved snapshot 4f1c9a2b in remote: 12,400 files, 2.8 GiB, 31.0 MiB added, in 32 s
    paperless   started `paperless-db`, `paperless-broker` in 1.3 s
    paperless   works after 3.1 s
    paperless   started `paperless-web` in 0.7 s
    paperless   note: container `paperless-web` was restarted by its own policy
    paperless   works after 7.6 s
    paperless   ok after 48 s, down for 39 s

      service     result   snapshot   took
      paperless   ok       4f1c9a2b   48 s
      music       failed             0.0 s
      watchtower  skipped

    3 services: 1 ok, 1 failed, 1 skipped,
    in 48 s
    ");
}

#[test]
fn plain_text_has_no_escape_and_no_glyph() {
    for run in [backup(), restore()] {
        assert!(plain(&run, 80).is_ascii());
    }
}

#[test]
fn a_transfer_is_told_every_ten_seconds_at_most() {
    let text = plain(&backup(), 80);
    assert_eq!(text.lines().filter(|line| line.contains(" left")).count(), 3);
}
