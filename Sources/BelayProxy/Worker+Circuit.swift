import BelayBalancing
import BelayBytes
import BelayTelemetry

// What a pool in trouble is spared.

extension Worker {
    /// Whether the pool may have one more request at its servers.
    @inline(__always)
    func poolHasRoom(_ pool: Int) -> Bool {
        let requestsMax = self.pools[pool].plan.requestsMax
        return requestsMax == 0
            || self.pools[pool].plan.table.hasRoom(requestsMax: requestsMax)
    }

    /// Whether the pool's budget allows this retry, which is counted if so until its answer begins
    /// or the exchange ends. Only work that may be done twice costs something: a refused connection
    /// has cost its server nothing.
    mutating func retryIsWithinBudget(
        _ exchange: Int,
        _ pool: Int,
        _ failure: AttemptFailure
    ) -> Bool {
        guard failure.mayHaveActed, !self.exchanges[exchange].state.contains(.isRetry) else {
            return true
        }
        let plan = self.pools[pool].plan
        guard plan.table.retryBegan(budget: plan.retryBudget, min: plan.retriesMin) else {
            return false
        }
        self.exchanges[exchange].state.insert(.isRetry)
        return true
    }

    /// The exchange is no longer counted among the pool's retries.
    @inline(__always)
    mutating func endRetry(_ exchange: Int) {
        guard self.exchanges[exchange].state.contains(.isRetry),
            let pool = self.exchanges[exchange].record.pool
        else { return }
        self.exchanges[exchange].state.remove(.isRetry)
        self.pools[pool].plan.table.retryEnded()
    }
}
