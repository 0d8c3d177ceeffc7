//! The plans that start, stop and restart; and the waves in which a service goes down and comes up.

use super::triggers;
use super::waves::{awaits_end, needs, start_order};
use super::{ServicePlan, Step, Target, When};
use crate::code::Code;
use crate::config::{Config, Service};
use crate::docker::{Container, ContainerState};
use crate::failure::Failure;
use crate::names::{ServiceName, UnitName};
use crate::observe::{Observed, Parts, Seen, is_up, keeps, unknown_keeper};
use crate::systemd::{ActiveState, LoadState, Unit, UnitDetails};

type Waves = Vec<Vec<Target>>;

/// Starts a service: its units first; containers of a unit that is already up through Docker.
pub(super) fn start(config: &Config, observed: &Observed, name: &ServiceName) -> ServicePlan {
    let (service, parts, plan) = match known(config, observed, name) {
        Ok(known) => known,
        Err(plan) => return *plan,
    };
    let mut plan = plan;
    let off = |(unit, _): &&Seen| !is_up(unit.active);
    if let Some((masked, _)) = parts.units.iter().filter(off).find(|(unit, _)| is_masked(unit)) {
        let failure = Failure::new(Code::UnitOrContainer, format!("`{}` is masked", masked.name));
        return plan.refuse(failure.hint(format!("systemctl unmask {}", masked.name)));
    }
    let waves = off_waves(parts);
    if waves.is_empty() {
        return rest(plan, parts, "it runs already");
    }
    add_start(&mut plan, &waves);
    let timeout = service.health.timeout.duration();
    plan.push(Step::AwaitHealth { targets: waves.concat(), timeout }, "started means that it works");
    plan
}

/// What is off and can be started: units, each after the one before, their sockets first and their timers last; when
/// all units are up, containers. A unit whose timer is put back is left to that.
pub(super) fn off_waves(parts: &Parts) -> Waves {
    let off: Vec<&Seen> = parts.units.iter().filter(|seen| !is_up(seen.0.active)).collect();
    let mut waves: Waves = Vec::new();
    let (sockets, later) = triggers::resting(parts, &off);
    waves.extend(Some(sockets).filter(|wave| !wave.is_empty()));
    let startable = off.iter().filter(|seen| !is_masked(&seen.0));
    let startable = startable.filter(|seen| !triggers::is_started_by(seen, &later));
    waves.extend(startable.map(|(unit, _)| vec![Target::Unit(unit.name.clone())]));
    if off.is_empty() {
        let containers = start_order(&stopped_containers(parts)).into_iter();
        waves.extend(containers.map(|wave| wave.into_iter().map(Target::container).collect()));
    }
    waves.extend(Some(later).filter(|wave| !wave.is_empty()));
    waves
}

/// Starts these waves.
pub(super) fn add_start(plan: &mut ServicePlan, waves: &Waves) {
    for targets in waves {
        let of_unit = targets.iter().all(|target| matches!(target, Target::Unit(_)));
        let reason = if of_unit { "it is off" } else { "its unit is up, but this is not" };
        plan.push(Step::Start { targets: targets.clone() }, reason);
    }
}

/// Nothing is done, if that can be known: that a compose unit is up or off says nothing of its containers.
fn rest(plan: ServicePlan, parts: &Parts, reason: &str) -> ServicePlan {
    let is_proof = parts.units.iter().any(|(_, details)| !remains(details.as_ref()));
    match parts.docker.as_ref().filter(|_| !is_proof) {
        Some(unknown) => plan.refuse(unknown.clone()),
        None => plan.skip(reason),
    }
}

/// Stops a service: its units, last first, then what of its containers is left.
pub(super) fn stop(observed: &Observed, name: &ServiceName) -> ServicePlan {
    let plan = ServicePlan::empty(name.clone());
    let Some(seen) = observed.services.get(name) else { return plan.skip("it is not configured") };
    let parts = &seen.parts;
    if parts.is_empty() {
        return match parts.docker.as_ref().or(parts.systemd.as_ref()) {
            Some(failure) => plan.refuse(failure.clone()),
            None => plan.skip("data only: nothing to stop"),
        };
    }
    let mut plan = plan;
    let armed = triggers::armed(parts);
    if !armed.is_empty() {
        plan.push(Step::Stop { targets: armed }, triggers::REASON);
    }
    for seen in parts.units.iter().rev().filter(|seen| has_something_to_stop(parts, seen)) {
        let reason = if is_up(seen.0.active) { "it is up" } else { "it may be started until then" };
        plan.push(Step::Stop { targets: vec![Target::Unit(seen.0.name.clone())] }, reason);
    }
    if !parts.active_units().any(|_| true) {
        for wave in start_order(&running_containers(parts)).into_iter().rev() {
            let targets = wave.into_iter().map(Target::container).collect();
            plan.push(Step::Stop { targets }, "it runs although its unit is off");
        }
    }
    if plan.steps.is_empty() { rest(plan, parts, "it is off already") } else { plan }
}

/// Restarts a service: units by one job each, a compose stack container by container unless it is to be made anew.
pub(super) fn restart(
    config: &Config,
    observed: &Observed,
    name: &ServiceName,
    recreate: bool,
) -> ServicePlan {
    let (service, parts, mut plan) = match known(config, observed, name) {
        Ok(known) => known,
        Err(plan) => return *plan,
    };
    let off = !parts.active_units().any(|_| true);
    if off && running_containers(parts).is_empty() {
        return start(config, observed, name);
    }
    if recreate && parts.units.is_empty() {
        return plan.refuse(cannot_recreate(name));
    }
    let mut restarted: Vec<Target> = Vec::new();
    for (unit, _) in parts.active_units().filter(|seen| restarts_by_job(parts, seen, recreate)) {
        let targets = vec![Target::Unit(unit.name.clone())];
        restarted.extend(targets.clone());
        plan.push(Step::Restart { targets }, if recreate { "it is made anew" } else { "it is up" });
    }
    // A target's job ends before those of its members.
    for (unit, _) in parts.active_units().filter(|(unit, _)| is_led(parts, unit)) {
        let targets = vec![Target::Unit(unit.name.clone())];
        restarted.extend(targets.clone());
        plan.push(Step::Start { targets }, "it is restarted with its target");
    }
    if restarted.is_empty() {
        let down = down_waves(parts);
        restarted = down.concat();
        for targets in &down {
            plan.push(Step::Stop { targets: targets.clone() }, "it runs");
        }
        for targets in up_waves(parts) {
            add_resume(&mut plan, parts, targets, service);
        }
    }
    // A unit's job brings its containers up, too.
    let by_job = restarted.iter().any(|target| matches!(target, Target::Unit(_)));
    let is_left = |wave: &Vec<Target>| !by_job || wave.iter().all(|one| matches!(one, Target::Unit(_)));
    let left: Waves = off_waves(parts).into_iter().filter(is_left).collect();
    add_start(&mut plan, &left);
    restarted.extend(left.concat());
    let timeout = service.health.timeout.duration();
    plan.push(Step::AwaitHealth { targets: restarted, timeout }, "restarted means that it works");
    plan
}

/// What makes containers anew is the unit that made them.
fn cannot_recreate(name: &ServiceName) -> Failure {
    let message = format!("`{name}` has no unit that could make its containers anew");
    Failure::new(Code::Refused, message)
        .hint("docker compose up --detach --force-recreate   # in its directory")
}

/// A unit whose containers are restarted stays as it is; a member is restarted with its target.
fn restarts_by_job(parts: &Parts, (unit, details): &Seen, recreate: bool) -> bool {
    !is_led(parts, unit) && (recreate || !remains(details.as_ref()) || stops_stack(parts))
}

type Known<'a> = (&'a Service, &'a Parts, ServicePlan);

/// The service and its parts; or a plan that says why nothing is done.
fn known<'a>(
    config: &'a Config,
    observed: &'a Observed,
    name: &ServiceName,
) -> Result<Known<'a>, Box<ServicePlan>> {
    let plan = ServicePlan::empty(name.clone());
    let (Some(service), Some(seen)) = (config.services.get(name), observed.services.get(name)) else {
        return Err(Box::new(plan.skip("it is not configured")));
    };
    if let Some(missing) = seen.parts.missing_units.first() {
        return Err(Box::new(plan.refuse(missing_unit(missing))));
    }
    if seen.parts.is_empty() {
        let unknown = seen.parts.docker.as_ref().or(seen.parts.systemd.as_ref());
        return Err(Box::new(match unknown {
            Some(failure) => plan.refuse(failure.clone()),
            None => plan.skip("data only: nothing to start"),
        }));
    }
    Ok((service, &seen.parts, plan))
}

/// A unit that the configuration names does not exist.
pub(super) fn missing_unit(name: &UnitName) -> Failure {
    let failure = Failure::new(Code::UnitOrContainer, format!("unit `{name}` does not exist"));
    failure.hint(format!("systemctl cat {name}"))
}

/// What has to stop for the data to hold still, in waves; only what runs.
///
/// Containers go down through Docker where their unit is `oneshot RemainAfterExit` or none owns them. Every other unit
/// is stopped as a unit: one whose main process is the container would start it again at once. So is a compose unit
/// where `stopVia` says so. What would start a unit by itself goes first, and a unit that it may start goes with it. A
/// target that has members is left alone.
pub(super) fn down_waves(parts: &Parts) -> Waves {
    let mut waves: Waves = Vec::new();
    waves.extend(Some(triggers::armed(parts)).filter(|wave| !wave.is_empty()));
    let owning: Vec<&Seen> = parts
        .units
        .iter()
        .filter(|seen| has_something_to_stop(parts, seen))
        .filter(|(_, details)| !leads(details.as_ref()))
        .filter(|(_, details)| !remains(details.as_ref()) || stops_stack(parts))
        .collect();
    for (unit, _) in owning.iter().rev() {
        waves.push(vec![Target::Unit(unit.name.clone())]);
    }
    let mut containers = running_containers(parts);
    let is_kept =
        |container: &Container| owning.iter().any(|unit| remains(unit.1.as_ref()) || keeps(unit, container));
    if !owning.is_empty() {
        containers.retain(|container| container.compose.is_some() && !is_kept(container));
    }
    let down = start_order(&containers).into_iter().rev();
    waves.extend(down.map(|wave| wave.into_iter().map(Target::container).collect()));
    waves
}

/// Whether a compose unit's jobs take its stack down and up. They start all of it, so all of it has to run before.
fn stops_stack(parts: &Parts) -> bool {
    let composed = || parts.containers.iter().filter(|container| container.compose.is_some());
    let is_job = |container: &Container| composed().any(|other| awaits_end(other, container));
    let is_as_started =
        |container: &Container| container.state == ContainerState::Running || is_job(container);
    parts.by_unit && composed().next().is_some() && composed().all(is_as_started)
}

/// Why a wave goes down the way it does, where the configuration wishes for one.
pub(super) fn via(parts: &Parts, targets: &[Target]) -> Option<&'static str> {
    let is_stack = |(unit, details): &Seen| {
        remains(details.as_ref()) && targets.contains(&Target::Unit(unit.name.clone()))
    };
    if parts.units.iter().any(is_stack) {
        return Some("through its unit, as `backup.stopVia` says");
    }
    let has_containers = targets.iter().any(|target| matches!(target, Target::Container(_)));
    let is_left = has_containers && parts.by_unit && !stops_stack(parts);
    is_left.then_some("not through its unit, which would start what is off now")
}

/// What has to be held for the data to hold still, if it can be held: containers, and units with processes of their own.
/// What somebody else paused or froze holds still already, and is not let go either; sockets, timers and targets write
/// nothing.
pub(crate) fn held_wave(parts: &Parts) -> Vec<Target> {
    let is_frozen = |details: Option<&UnitDetails>| details.is_some_and(|details| details.frozen);
    let writes = |(unit, details): &&Seen| {
        let details = details.as_ref();
        !remains(details) && !leads(details) && is_service(unit) && !is_frozen(details)
    };
    let units = parts.active_units().filter(writes).map(|(unit, _)| Target::Unit(unit.name.clone()));
    let containers = parts.containers.iter().filter(|container| container.state == ContainerState::Running);
    units.chain(containers.map(Target::container)).collect()
}

/// Why the service cannot be held: a unit of it is only the client of a container that nobody knows.
pub(super) fn cannot_be_held(parts: &Parts) -> Option<Failure> {
    let unit = unknown_keeper(parts)?;
    let message = format!("`{unit}` runs a container that cannot be found, so it cannot be paused");
    Some(Failure::new(Code::Refused, message).hint("set `backup.quiesce` to `stop`"))
}

fn is_service(unit: &Unit) -> bool {
    unit.name.as_str().ends_with(".service")
}

/// Everything of a service that runs.
pub(crate) fn running(parts: &Parts) -> Vec<Target> {
    down_waves(parts).concat()
}

/// The same targets in the order in which they come up again; what is going down by itself stays off. Sockets come
/// before their service, beside which they could not be opened; timers and paths come last.
pub(super) fn up_waves(parts: &Parts) -> Waves {
    let is_leaving = |target: &Target| {
        let leaves = |unit: &Unit| unit.active == ActiveState::Deactivating;
        parts.units.iter().any(|(unit, _)| leaves(unit) && Target::Unit(unit.name.clone()) == *target)
    };
    let waves = down_waves(parts)
        .into_iter()
        .rev()
        .map(|wave| wave.into_iter().filter(|target| !is_leaving(target)).collect::<Vec<_>>());
    triggers::sockets_first(waves).into_iter().filter(|wave| !wave.is_empty()).collect()
}

/// Starts a wave again, and waits for those of it that others need healthy.
pub(super) fn add_resume(plan: &mut ServicePlan, parts: &Parts, targets: Vec<Target>, service: &Service) {
    let find =
        |target: &Target| parts.containers.iter().find(|container| Target::container(container) == *target);
    let needed = |container: &Container| parts.containers.iter().any(|other| needs(other, container));
    let awaited: Vec<Target> = targets
        .iter()
        .filter(|target| {
            find(target).is_some_and(|container| container.health.is_some() && needed(container))
        })
        .cloned()
        .collect();
    let wakes = |target: &Target| {
        let of_target = |(unit, _): &&Seen| Target::Unit(unit.name.clone()) == *target;
        parts.units.iter().find(of_target).is_some_and(|(unit, _)| !is_up(unit.active))
    };
    let reason = if targets.iter().all(wakes) { "if it is started until then" } else { "it ran before" };
    plan.add(Step::Resume { targets }, When::Always, reason);
    if !awaited.is_empty() {
        let timeout = service.health.timeout.duration();
        let step = Step::AwaitHealth { targets: awaited, timeout };
        plan.add(step, When::Always, "others start only when it is healthy");
    }
}

/// Why the service cannot be stopped for a while: a unit of it that runs is masked, and nobody could start it again.
pub(super) fn masked(parts: &Parts) -> Option<Failure> {
    let running = running(parts);
    let stops = |unit: &&Unit| is_up(unit.active) && running.contains(&Target::Unit(unit.name.clone()));
    let units = parts.units.iter().chain(&parts.triggers).map(|(unit, _)| unit);
    let Unit { name, .. } = units.filter(stops).find(|unit| is_masked(unit))?;
    let message = format!("`{name}` is masked: once stopped it could not be started again");
    Some(Failure::new(Code::Refused, message).hint(format!("systemctl unmask {name}")))
}

fn is_masked(unit: &Unit) -> bool {
    unit.load == LoadState::Masked
}

fn remains(details: Option<&UnitDetails>) -> bool {
    details.is_some_and(|details| details.remains_after_exit)
}

/// A target that holds others together: they are what runs.
fn leads(details: Option<&UnitDetails>) -> bool {
    details.is_some_and(|details| !details.remains_after_exit && !details.members.is_empty())
}

/// A member of a target that is up.
fn is_led(parts: &Parts, unit: &Unit) -> bool {
    let targets = parts.active_units().filter_map(|(_, details)| details.as_ref().filter(|d| leads(Some(d))));
    targets.into_iter().any(|target| target.members.contains(&unit.name))
}

fn has_something_to_stop(parts: &Parts, seen: &Seen) -> bool {
    let state = seen.0.active;
    is_up(state) || state == ActiveState::Deactivating || triggers::may_start(parts, seen)
}

fn running_containers(parts: &Parts) -> Vec<&Container> {
    parts.containers.iter().filter(|container| runs(container.state)).collect()
}

/// Containers that are off and should not be; a job that others await the end of has done its work.
fn stopped_containers(parts: &Parts) -> Vec<&Container> {
    let is_job = |container: &Container| parts.containers.iter().any(|other| awaits_end(other, container));
    parts.containers.iter().filter(|container| !runs(container.state) && !is_job(container)).collect()
}

const fn runs(state: ContainerState) -> bool {
    match state {
        ContainerState::Running | ContainerState::Paused | ContainerState::Restarting => true,
        ContainerState::Created
        | ContainerState::Removing
        | ContainerState::Exited
        | ContainerState::Dead
        | ContainerState::Unknown => false,
    }
}
