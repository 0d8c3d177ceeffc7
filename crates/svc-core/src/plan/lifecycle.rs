//! The plans that start, stop and restart; and the waves in which a service goes down and comes up.

use super::waves::{awaits_end, needs, start_order};
use super::{ServicePlan, Step, Target, When};
use crate::code::Code;
use crate::config::{Config, Service};
use crate::docker::{Container, ContainerState};
use crate::failure::Failure;
use crate::names::ServiceName;
use crate::observe::{Observed, Parts, is_up};
use crate::systemd::{ActiveState, LoadState, Unit, UnitDetails};

type Waves = Vec<Vec<Target>>;

/// Starts a service: its units first; containers of a unit that is already up through Docker.
pub(super) fn start(config: &Config, observed: &Observed, name: &ServiceName) -> ServicePlan {
    let (service, parts, plan) = match known(config, observed, name) {
        Ok(known) => known,
        Err(plan) => return *plan,
    };
    let mut plan = plan;
    if let Some((masked, _)) = parts.units.iter().find(|(unit, _)| unit.load == LoadState::Masked) {
        let failure = Failure::new(Code::UnitOrContainer, format!("`{}` is masked", masked.name));
        return plan.refuse(failure.hint(format!("systemctl unmask {}", masked.name)));
    }
    let mut started = Vec::new();
    for (unit, _) in parts.units.iter().filter(|(unit, _)| !is_up(unit.active)) {
        let targets = vec![Target::Unit(unit.name.clone())];
        started.extend(targets.clone());
        plan.push(Step::Start { targets }, "it is off");
    }
    let by_unit = parts.units.iter().any(|(unit, _)| !is_up(unit.active));
    if !by_unit {
        for wave in start_order(&stopped_containers(parts)) {
            let targets: Vec<Target> = wave.into_iter().map(Target::container).collect();
            started.extend(targets.clone());
            plan.push(Step::Start { targets }, "its unit is up, but this is not");
        }
    }
    if started.is_empty() {
        return plan.skip("it runs already");
    }
    let timeout = service.health.timeout.duration();
    plan.push(Step::AwaitHealth { targets: started, timeout }, "started means that it works");
    plan
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
    for (unit, _) in parts.units.iter().rev().filter(|(unit, _)| has_something_to_stop(unit.active)) {
        plan.push(Step::Stop { targets: vec![Target::Unit(unit.name.clone())] }, "it is up");
    }
    if !parts.active_units().any(|_| true) {
        for wave in start_order(&running_containers(parts)).into_iter().rev() {
            let targets = wave.into_iter().map(Target::container).collect();
            plan.push(Step::Stop { targets }, "it runs although its unit is off");
        }
    }
    if plan.steps.is_empty() { plan.skip("it is off already") } else { plan }
}

/// Restarts a service: units by one job each, a compose stack container by container unless it is to be made anew.
pub(super) fn restart(
    config: &Config,
    observed: &Observed,
    name: &ServiceName,
    recreate: bool,
) -> ServicePlan {
    let (service, parts, plan) = match known(config, observed, name) {
        Ok(known) => known,
        Err(plan) => return *plan,
    };
    let off = !parts.active_units().any(|_| true);
    if off && running_containers(parts).is_empty() {
        return start(config, observed, name);
    }
    let mut plan = plan;
    let mut restarted: Vec<Target> = Vec::new();
    let by_job = |(_, details): &&(Unit, Option<UnitDetails>)| recreate || !remains(details.as_ref());
    for (unit, _) in parts.active_units().filter(by_job) {
        let targets = vec![Target::Unit(unit.name.clone())];
        restarted.extend(targets.clone());
        plan.push(Step::Restart { targets }, if recreate { "it is made anew" } else { "it is up" });
    }
    if restarted.is_empty() {
        let down = down_waves(parts);
        restarted = down.concat();
        for targets in &down {
            plan.push(Step::Stop { targets: targets.clone() }, "it runs");
        }
        for targets in up_waves(parts, &restarted) {
            add_resume(&mut plan, parts, targets, service);
        }
    }
    let timeout = service.health.timeout.duration();
    plan.push(Step::AwaitHealth { targets: restarted, timeout }, "restarted means that it works");
    plan
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
        let failure = Failure::new(Code::UnitOrContainer, format!("unit `{missing}` does not exist"));
        return Err(Box::new(plan.refuse(failure.hint(format!("systemctl cat {missing}")))));
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

/// What has to stop for the data to hold still, in waves; only what runs.
///
/// Containers go down through Docker where their unit is `oneshot RemainAfterExit` or none owns them. Every other unit
/// is stopped as a unit: one whose main process is the container would start it again at once.
pub(super) fn down_waves(parts: &Parts) -> Waves {
    let mut waves: Waves = Vec::new();
    let owners = |(_, details): &&(Unit, Option<UnitDetails>)| !remains(details.as_ref());
    let owning: Vec<_> =
        parts.units.iter().filter(|(unit, _)| has_something_to_stop(unit.active)).filter(owners).collect();
    for (unit, _) in owning.iter().rev() {
        waves.push(vec![Target::Unit(unit.name.clone())]);
    }
    let mut containers = running_containers(parts);
    let composes = parts.units.iter().any(|(_, details)| remains(details.as_ref()));
    if !owning.is_empty() {
        containers.retain(|container| composes && container.compose.is_some());
    }
    let down = start_order(&containers).into_iter().rev();
    waves.extend(down.map(|wave| wave.into_iter().map(Target::container).collect()));
    waves
}

/// Everything of a service that runs.
pub(crate) fn running(parts: &Parts) -> Vec<Target> {
    down_waves(parts).concat()
}

/// The same targets in the order in which they come up again.
pub(super) fn up_waves(parts: &Parts, running: &[Target]) -> Waves {
    down_waves(parts)
        .into_iter()
        .rev()
        .map(|wave| wave.into_iter().filter(|target| running.contains(target)).collect::<Vec<_>>())
        .filter(|wave| !wave.is_empty())
        .collect()
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
    plan.add(Step::Resume { targets }, When::Always, "it ran before");
    if !awaited.is_empty() {
        let timeout = service.health.timeout.duration();
        let step = Step::AwaitHealth { targets: awaited, timeout };
        plan.add(step, When::Always, "others start only when it is healthy");
    }
}

fn remains(details: Option<&UnitDetails>) -> bool {
    details.is_some_and(|details| details.remains_after_exit)
}

const fn has_something_to_stop(state: ActiveState) -> bool {
    is_up(state) || matches!(state, ActiveState::Deactivating)
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
