use insta::assert_snapshot;

use super::{assert_fits, backup, plan_of, restore};
use crate::render::{Look, plan, plan_text};

const fn look(width: usize) -> Look {
    Look { width, colour: false, glyphs: true }
}

#[test]
fn a_dry_run_shows_every_step_with_its_reason() {
    assert_snapshot!(plan_text(&plan_of(&backup()), look(80)), @r"
    Backup of 3 services to remote

    paperless
       1  write the manifest `/var/lib/svc/manifests/paperless.json`
          (so that a restore knows what the service was made of)
       2  check that `/var/lib/docker/volumes/paperless_data/_data`,
          `/srv/paperless/media/請求書` can be read
          (a missing source is found before anything stops)
       3  note what runs: `paperless-web`, `paperless-db`, `paperless-broker`
          (so that exactly this runs again)
       4  stop `paperless-web`
          (its data must not change while it is read)
       5  stop `paperless-db`, `paperless-broker`
          (its data must not change while it is read)
       6  back up `/var/lib/docker/volumes/paperless_data/_data`,
          `/srv/paperless/media/請求書`, `/var/lib/svc/manifests/paperless.json`
          without `*.tmp` to `remote`
          (compared with snapshot 9e1f04c2)
       7  in any case: start `paperless-db`, `paperless-broker` again
          (it ran before)
       8  in any case: wait for `paperless-db` to work, 2 min at most
          (others start only when it is healthy)
       9  in any case: start `paperless-web` again
          (it ran before)
      10  in any case: wait for `paperless-web`, `paperless-db`, `paperless-broker`
          to work, 2 min at most
          (it is back only when it works as before)

    music
      1  write the manifest `/var/lib/svc/manifests/music.json`
         (so that a restore knows what the service was made of)
      2  check that `/srv/music` can be read
         (a missing source is found before anything stops)
      3  back up `/srv/music`, `/var/lib/svc/manifests/music.json` to `remote`
         (its first snapshot there)

    watchtower
      nothing to do: none of these repositories takes it
    ");
}

#[test]
fn a_wide_terminal_shows_step_and_reason_side_by_side() {
    assert_snapshot!(plan_text(&plan_of(&restore()), look(140)), @r"
    Restore of paperless from local: the latest good snapshot

    paperless
      1  stage 12,400 files with 2.8 GiB from snapshot `4f1c9a2b` of `local` in       the service runs on meanwhile
         `/var/lib/docker/volumes/.svc-stage-paperless-20261120T090000Z`
      2  verify that 12,400 files are there, 2.8 GiB                                  nothing is replaced by something incomplete
      3  note what runs: `docker-paperless.service`                                   so that exactly this runs again
      4  stop `docker-paperless.service`                                              a running service would go on with the old data
      5  exchange `/var/lib/docker/volumes/paperless_data/_data` with what was        all at once; the old data is kept
         staged
      6  in any case: start `docker-paperless.service` again                          it ran before
      7  wait for `docker-paperless.service` to work, 2 min at most                   a restore is good when the service works
      8  after a failure: put the old data back and start what ran                    the way back
      9  after a failure: remove                                                      it is of no use any more
         `/var/lib/docker/volumes/.svc-stage-paperless-20261120T090000Z`
    ");
}

#[test]
fn every_width_from_40_to_200_columns_holds_a_plan() {
    for width in (40..=200).step_by(4) {
        for run in [backup(), restore()] {
            assert_fits(&plan_text(&plan_of(&run), look(width)), width);
            assert_fits(&plan::table(&plan_of(&run), look(width)), width);
        }
    }
}

#[test]
fn what_is_refused_is_named_with_cause_and_hint() {
    let mut plan = plan_of(&backup());
    let failure =
        svc_core::failure::Failure::new(svc_core::code::Code::WrongPassword, "wrong\x1b[2J password")
            .because("Fatal: wrong password")
            .hint("svc repo init remote");
    plan.services.retain(|service| service.service.as_str() == "music");
    plan.services[0].refused.push(failure);
    plan.services[0].steps.clear();
    assert_snapshot!(plan_text(&plan, look(80)), @r"
    Backup of 3 services to remote

    music
      cannot:     wrong\u{1b}[2J password
      caused by:  Fatal: wrong password
      hint:       svc repo init remote
    ");
    assert_snapshot!(plan::table(&plan, look(80)), @r"
    Backup of 3 services to remote

      service  plan
      music    cannot: wrong\u{1b}[2J password
    ");
}

#[test]
fn colours_mark_words_and_nothing_else() {
    let plan = plan_of(&backup());
    let coloured = plan_text(&plan, Look { colour: true, ..look(80) });
    assert!(coloured.starts_with("\x1b[1mBackup\x1b[0m \x1b[1mof\x1b[0m "), "{coloured:?}");
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plan_text(&plan, look(80)));
}
