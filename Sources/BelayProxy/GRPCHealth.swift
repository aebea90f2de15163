/// The messages of grpc.health.v1 (github.com/grpc/grpc, doc/health-checking.md), in the encoding
/// of proto3 and the frames of gRPC over HTTP/2: a byte for compression, four for the length.
enum GRPCHealth {
    static let path = "/grpc.health.v1.Health/Check"

    /// What a server said of a service.
    enum Answer: Equatable {
        case serving
        case problem(String)
    }

    /// HealthCheckRequest in its frame: the service's name is field 1.
    static func question(_ service: String) -> [UInt8] {
        let name = Array(service.utf8)
        var message: [UInt8] = []
        if !name.isEmpty {
            message = [0x0A]
            var rest = name.count
            while rest >= 0x80 {
                message.append(UInt8(truncatingIfNeeded: rest) | 0x80)
                rest >>= 7
            }
            message.append(UInt8(rest))
            message += name
        }
        let length = UInt32(message.count)
        return [
            0, UInt8(truncatingIfNeeded: length >> 24), UInt8(truncatingIfNeeded: length >> 16),
            UInt8(truncatingIfNeeded: length >> 8), UInt8(truncatingIfNeeded: length),
        ] + message
    }

    /// HealthCheckResponse, once it is there as a whole; nil before.
    static func answer(_ body: [UInt8]) -> Answer? {
        guard body.count >= 5 else { return nil }
        guard body[0] == 0 else { return .problem("its answer is compressed") }
        let length = body[1...4].reduce(0) { $0 << 8 | Int($1) }
        guard body.count - 5 >= length else { return nil }
        switch self.status(body[5..<(5 + length)]) {
        case 0: return .problem("it calls itself UNKNOWN")
        case 1: return .serving
        case 2: return .problem("it calls itself NOT_SERVING")
        case 3: return .problem("it does not know the service")
        case let status?: return .problem("it calls itself \(status)")
        case nil: return .problem("its answer is no message of grpc.health.v1")
        }
    }

    /// Field 1 of a message, a number, which is 0 where it is left out; nil: that is no message.
    private static func status(_ message: ArraySlice<UInt8>) -> UInt64? {
        var rest = message
        var status: UInt64 = 0
        while !rest.isEmpty {
            guard let key = self.number(&rest) else { return nil }
            switch key & 7 {
            case 0:
                guard let value = self.number(&rest) else { return nil }
                if key >> 3 == 1 { status = value }
            case 1: rest = rest.dropFirst(8)
            case 2:
                guard let length = self.number(&rest), length <= UInt64(rest.count) else {
                    return nil
                }
                rest = rest.dropFirst(Int(length))
            case 5: rest = rest.dropFirst(4)
            default: return nil
            }
        }
        return status
    }

    /// A number of seven bits a byte, the lowest first.
    private static func number(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = bytes.popFirst() else { return nil }
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        return nil
    }

    /// What is wrong where there was no answer: by `grpc-status` in a head or in trailers.
    static func problem(_ fields: [UInt8]) -> String {
        guard let status = self.status(in: fields) else { return "it has no health service" }
        switch status {
        case 0: return "its answer is empty"
        case 5: return "it does not know the service"
        case 12: return "it has no health service"
        default: return "its health service answered with gRPC's status \(status)"
        }
    }

    /// gRPC's status in a head or in trailers.
    static func status(in fields: [UInt8]) -> Int? {
        let text = String(decoding: fields, as: UTF8.self)
        let name = "grpc-status:"
        let line = text.split(whereSeparator: \.isNewline).first {
            $0.lowercased().hasPrefix(name)
        }
        return line.flatMap { Int($0.dropFirst(name.count).filter { $0 != " " }) }
    }
}
