//! What svc sees of the world without changing it, on fakes: services, timers, and what stands in the way.

#[cfg(test)]
mod doctor;
#[cfg(test)]
mod overview;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod timers;
