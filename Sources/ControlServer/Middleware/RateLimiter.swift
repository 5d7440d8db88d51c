/// How often somebody may ask: a bucket of tokens for each, which fills with time.
///
/// A value; times are nanoseconds of a clock that does not go back.
struct RateLimiter {
    /// How fast a bucket fills, and how much it holds.
    struct Rate {
        var perSecond: Double
        var burst: Double
    }

    private struct Bucket {
        var tokens: Double
        var at: UInt64
    }

    /// Buckets that are kept; beyond it full ones are let go, and if there are none, whoever is new
    /// shares one bucket with all who are.
    private let maximumBuckets: Int
    private let rate: Rate
    private var buckets: [String: Bucket] = [:]

    init(_ rate: Rate, maximumBuckets: Int = 10_000) {
        self.rate = rate
        self.maximumBuckets = maximumBuckets
    }

    /// Takes a token of `key`'s; nil when there was one, else in how many seconds there will be.
    mutating func take(_ key: String, now: UInt64) -> Double? {
        var name = key
        if self.buckets[name] == nil, self.buckets.count >= self.maximumBuckets {
            self.letGo(now: now)
            if self.buckets.count >= self.maximumBuckets { name = "" }
        }
        var bucket = self.buckets[name] ?? Bucket(tokens: self.rate.burst, at: now)
        bucket.tokens = self.level(of: bucket, now: now)
        bucket.at = now
        defer { self.buckets[name] = bucket }
        guard bucket.tokens >= 1 else { return (1 - bucket.tokens) / self.rate.perSecond }
        bucket.tokens -= 1
        return nil
    }

    /// Buckets there are.
    var count: Int { self.buckets.count }

    private func level(of bucket: Bucket, now: UInt64) -> Double {
        let seconds = Double(now - min(now, bucket.at)) / 1e9
        return min(self.rate.burst, bucket.tokens + seconds * self.rate.perSecond)
    }

    private mutating func letGo(now: UInt64) {
        self.buckets = self.buckets.filter { self.level(of: $0.value, now: now) < self.rate.burst }
    }
}
