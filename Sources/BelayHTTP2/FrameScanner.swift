import BelayBytes
import BelayCore

/// The header of a frame (RFC 9113 §4.1).
struct FrameHeader {
    static let size = 9

    let length: Int
    let type: UInt8
    let flags: UInt8
    let stream: Int32

    init(_ bytes: borrowing Span<UInt8>, at start: Int) {
        self.length =
            Int(bytes[start]) << 16 | Int(bytes[start &+ 1]) << 8 | Int(bytes[start &+ 2])
        self.type = bytes[start &+ 3]
        self.flags = bytes[start &+ 4]
        let high = UInt32(bytes[start &+ 5] & 0x7F) << 24 | UInt32(bytes[start &+ 6]) << 16
        let low = UInt32(bytes[start &+ 7]) << 8 | UInt32(bytes[start &+ 8])
        self.stream = Int32(bitPattern: high | low)
    }

    var endsStream: Bool { self.flags & 0x1 != 0 }
}

/// What is known of a stream that a frame names.
enum StreamStage {
    /// There is none, or nothing more is to come of it.
    case none
    /// Its request is not answered yet.
    case open
    case answered
}

/// Frames that are due to something useful, and so cost nothing: a peer that is sent bodies opens
/// windows and measures the line, one that makes requests orders them.
private struct Allowance {
    private var count: Int
    /// Limit: what can be saved up.
    private static let max = 1 << 14

    init(_ count: Int = 0) { self.count = count }

    mutating func earn(_ count: Int) { self.count = Swift.min(Self.max, self.count &+ count) }

    /// False when nothing was earned.
    mutating func spend() -> Bool {
        guard self.count > 0 else { return false }
        self.count &-= 1
        return true
    }
}

/// Looks at each frame's header before nghttp2 sees the frame, and counts what costs us work or
/// memory but brings no request and no body: a peer that sends too much of it is told to calm down
/// (RFC 9113 §10.5; CVE-2019-9511 to 9518, CVE-2023-44487, CVE-2024-28182, CVE-2025-8671).
struct FrameScanner {
    /// Limit: frames that continue one head. With frames of 16 KiB a head as large as allowed
    /// needs three.
    static let continuationsMax = 32
    /// Limit: empty ones among them.
    static let emptyContinuationsMax = 2
    /// Limit: a body's frame with fewer bytes counts. A message of gRPC has 5 at least, one of a
    /// WebSocket 6, and those who type one byte at a time are slow.
    static let tinyData = 5
    /// Limit: that many more of these than of control frames.
    static let tinyDataFactor = 64
    /// Limit: window updates that may come before anything was sent.
    static let windowUpdatesAtStart = 128

    private var controlFrames: TokenBucket
    private var tinyFrames: TokenBucket
    private(set) var resets: TokenBucket
    private let compressedMax: Int
    private var windowUpdates = Allowance(Self.windowUpdatesAtStart)
    private var pings = Allowance()
    private var priorities = Allowance()
    private var tinyData = Allowance()
    private var lateResets = Allowance()
    private var continuations = 0
    private var emptyContinuations = 0
    private var compressed = 0

    init(_ limits: HTTP2Limits) {
        self.controlFrames = TokenBucket(capacity: limits.controlFrames)
        self.tinyFrames = TokenBucket(capacity: limits.controlFrames * Self.tinyDataFactor)
        self.resets = TokenBucket(capacity: limits.resets)
        // Limit: a head that is too large is still decoded, so that its stream can be answered,
        // but not one that is four times too large before decoding.
        self.compressedMax = limits.headSizeMax * 4
    }

    /// A body's frame was sent: a reader may open the stream's and the connection's window for it,
    /// and careful ones do so in small steps.
    mutating func dataSent(_ count: Int) {
        self.windowUpdates.earn(4 &+ count / 512)
        // gRPC measures the line while data comes.
        self.pings.earn(1)
    }

    /// The final head of a response went or came: the rest may not be wanted.
    mutating func requestAnswered() { self.lateResets.earn(1) }

    /// We reset a stream for something that the peer did.
    mutating func streamSpoiled(at now: Instant) -> HTTP2Failure? {
        self.resets.take(at: now) ? nil : .resets
    }

    /// What is wrong with going on, if anything.
    mutating func check(
        _ frame: FrameHeader,
        _ stage: StreamStage,
        at now: Instant
    ) -> HTTP2Failure? {
        switch frame.type {
        case 0:
            if frame.endsStream || frame.length >= Self.tinyData { return nil }
            return self.tiny(frame.length, now)
        case 1, 5:
            self.continuations = 0
            self.emptyContinuations = 0
            self.compressed = frame.length
            // A browser orders its requests anew as the page is laid out.
            self.priorities.earn(4)
            self.tinyData.earn(4)
            return nil
        // PRIORITY, and PRIORITY_UPDATE (RFC 9218 §7.1).
        case 2, 16: return self.priorities.spend() ? nil : self.control(.priorities, now)
        case 3:
            switch stage {
            case .open: return self.resets.take(at: now) ? nil : .resets
            case .none, .answered:
                return self.lateResets.spend() ? nil : self.control(.resets, now)
            }
        case 4: return self.control(.settings, now)
        case 6: return self.pings.spend() ? nil : self.control(.pings, now)
        case 8: return self.windowUpdates.spend() ? nil : self.control(.windowUpdates, now)
        case 9:
            self.continuations &+= 1
            if frame.length == 0 { self.emptyContinuations &+= 1 }
            self.compressed &+= frame.length
            if self.compressed > self.compressedMax { return .headSize }
            return self.continuations > Self.continuationsMax
                || self.emptyContinuations > Self.emptyContinuationsMax ? .continuations : nil
        default: return self.control(.unknownFrames, now)
        }
    }

    /// A response before the response.
    mutating func interimHead(at now: Instant) -> HTTP2Failure? {
        self.control(.interimHeads, now)
    }

    /// A DATA frame that is padding nearly all.
    mutating func paddingOnly(at now: Instant) -> HTTP2Failure? {
        self.tiny(1, now)
    }

    private mutating func tiny(_ length: Int, _ now: Instant) -> HTTP2Failure? {
        if self.tinyData.spend() { return nil }
        if length == 0 { return self.control(.emptyFrames, now) }
        return self.tinyFrames.take(at: now) ? nil : .emptyFrames
    }

    private mutating func control(_ failure: HTTP2Failure, _ now: Instant) -> HTTP2Failure? {
        self.controlFrames.take(at: now) ? nil : failure
    }
}
