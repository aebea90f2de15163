import BelayCore
import BelayPersistence
import Testing

struct PersistenceDecisionTests {
    /// Whether the server is full does not matter to those that are not kept anyway.
    @Test(arguments: [
        (AdminState.ready, Health.up, false, PersistenceVerdict.valid, BindingStep.keep),
        (.ready, .up, true, .serverFull, .overflow),
        (.draining, .up, false, .serverDraining, .keep),
        (.draining, .up, true, .serverFull, .overflow),
        (.ready, .ejected, false, .serverEjected, .redispatch),
        (.ready, .ejected, true, .serverEjected, .redispatch),
        (.draining, .ejected, false, .serverEjected, .redispatch),
        (.maintenance, .up, false, .serverMaintenance, .redispatch),
        (.maintenance, .up, true, .serverMaintenance, .redispatch),
        (.maintenance, .ejected, true, .serverMaintenance, .redispatch),
    ])
    func `a bound client stays while its server takes it`(
        adminState: AdminState,
        health: Health,
        isFull: Bool,
        want: PersistenceVerdict,
        step: BindingStep
    ) {
        let state = BoundServerState(adminState: adminState, health: health, isFull: isFull)
        let verdict = persistenceVerdict(for: .binding(someBinding), server: state)
        #expect(verdict == want && verdict.step == step)
    }

    @Test(
        arguments: [
            (BindingOpening.foreign, PersistenceVerdict.foreign),
            (.tampered, .tampered),
            (.expiredIdle, .expiredIdle),
            (.expiredLifetime, .expiredLifetime),
            (nil, .none),
        ] as [(BindingOpening?, PersistenceVerdict)]
    )
    func `a client without a binding that holds is bound anew`(
        opening: BindingOpening?,
        want: PersistenceVerdict
    ) {
        let state = BoundServerState(adminState: .ready, health: .up, isFull: false)
        #expect(persistenceVerdict(for: opening, server: nil) == want)
        #expect(persistenceVerdict(for: opening, server: state) == want)
        #expect(want.step == .pick)
    }

    @Test func `a client whose server is no longer in the pool goes to the next one`() {
        let verdict = persistenceVerdict(for: .binding(someBinding), server: nil)
        #expect(verdict == .unknownServer && verdict.step == .redispatch)
    }

    @Test func `a pool without bindings binds nobody`() {
        #expect(PersistenceVerdict.off.step == .pickUnbound)
    }
}
