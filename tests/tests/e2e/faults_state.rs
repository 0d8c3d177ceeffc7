//! svc's own directory when there is no room in it.

use anyhow::Result;
use svc_tests::Homeserver;

const STATE: &str = "/var/lib/svc";

#[test]
fn fault_09_without_room_for_what_svc_writes_nothing_is_stopped() -> Result<()> {
    let Some(mut server) = Homeserver::for_test()? else { return Ok(()) };
    let device = server.home.add_disk("state", 32 << 20)?;
    server
        .home
        .check(&format!("mkfs.ext4 -q -m 0 {device} && mkdir -p {STATE} && mount {device} {STATE}"))?;
    assert_eq!(server.svc("backup local notes")?.code, 0, "with room");
    let before = server.runs_since()?;
    // From nothing at all to what the run log reserves and not enough for the rest.
    for free in [0, 64, 512, 1000, 1028, 1032, 1040, 1060, 1200] {
        server.home.check(&format!(
            "rm -f {STATE}/full; sync -f {STATE}; cat /dev/zero > {STATE}/full 2> /dev/null
             truncate -s -{free}K {STATE}/full; sync -f {STATE}"
        ))?;
        let refused = server.svc("backup local notes paperless")?;
        assert_eq!(refused.code, 14, "{free}: {refused}");
        assert_eq!(server.runs_since()?, before, "{free}");
    }
    server.home.check(&format!("rm {STATE}/full"))?;
    assert_eq!(server.svc("backup local notes")?.code, 0, "with room again");
    Ok(())
}
