/// The pictures of the products, drawn by hand on a field of 120 by 120. Colours that read on a
/// light and on a dark ground.
enum Drawings {
    static let rope: HTML = """
        <svg viewBox="0 0 120 120" aria-hidden="true" fill="none" stroke-linecap="round">\
        <path d="M30 86c-5 12 4 20 14 18s18-2 24 2 14 4 18-2" stroke="#e4572e" stroke-width="7"/>\
        <g stroke="#e4572e" stroke-width="8"><ellipse cx="60" cy="52" rx="40" ry="33"/>\
        <ellipse cx="60" cy="56" rx="31" ry="25"/><ellipse cx="60" cy="60" rx="22" ry="17"/></g>\
        <g stroke="#f7c59f" stroke-width="2.5" stroke-dasharray="3 9">\
        <ellipse cx="60" cy="52" rx="40" ry="33"/><ellipse cx="60" cy="56" rx="31" ry="25"/>\
        <ellipse cx="60" cy="60" rx="22" ry="17"/></g>\
        <g stroke="#b83b1b" stroke-width="6"><path d="M46 64v32M54 66v32M62 67v31M70 66v31"/></g>\
        <path d="M42 74c10 4 22 4 32 0M42 86c10 4 22 4 32 0" stroke="#e4572e" stroke-width="6"/>\
        </svg>
        """

    static let belayDevice: HTML = """
        <svg viewBox="0 0 120 120" aria-hidden="true" fill="none" stroke-linecap="round">\
        <path d="M48 72c-14 14-14 34 2 36s26-18 20-37" stroke="#6b7785" stroke-width="4"/>\
        <path d="M24 34h72l-11 42a10 10 0 0 1-10 8H45a10 10 0 0 1-10-8z" fill="#17a398"/>\
        <path d="M24 34h72l-3 12H27z" fill="#0f7d74"/>\
        <rect x="33" y="26" width="23" height="13" rx="6.5" fill="#223038"/>\
        <rect x="64" y="26" width="23" height="13" rx="6.5" fill="#223038"/>\
        <path d="M22 33a6 6 0 0 1 6-7h64a6 6 0 0 1 6 7" stroke="#17a398" stroke-width="5"/>\
        <path d="M45 8v38c0 12 9 12 9 24M45 8v22" stroke="#e4572e" stroke-width="8"/>\
        <path d="M45 12v17" stroke="#f7c59f" stroke-width="2.5" stroke-dasharray="3 7"/>\
        <path d="M43 56h34M46 66h28" stroke="#7fd6cc" stroke-width="3"/></svg>
        """

    static let carabiner: HTML = """
        <svg viewBox="0 0 120 120" aria-hidden="true" fill="none" stroke-linecap="round">\
        <path d="M80 36C78 18 62 12 48 15 28 19 22 36 26 52l11 42c4 15 28 17 34 2 3-8 6-20 8-31" \
        stroke="#7c8896" stroke-width="11"/>\
        <path d="M34 30c4-7 11-9 19-8" stroke="#c9d2dc" stroke-width="3.5"/>\
        <path d="M80 34l-1 34" stroke="#56616d" stroke-width="8"/>\
        <rect x="70" y="40" width="19" height="23" rx="5" fill="#f2b134"/>\
        <path d="M75 44v15M79.500 44v15M84 44v15" stroke="#a8720d" stroke-width="2"/></svg>
        """

    static let quickdraw: HTML = """
        <svg viewBox="0 0 120 120" aria-hidden="true" fill="none" stroke-linecap="round">\
        <path d="M66 10c-16-5-26 5-23 17l4 13c3 8 20 8 24 0l4-13" stroke="#7c8896" \
        stroke-width="7.500"/>\
        <path d="M68 11c6 3 8 8 7 16" stroke="#e4572e" stroke-width="5"/>\
        <path d="M54 110c16 5 26-5 23-17l-4-13c-3-8-20-8-24 0l-4 13" stroke="#7c8896" \
        stroke-width="7.500"/>\
        <path d="M52 109c-6-3-8-8-7-16" stroke="#e4572e" stroke-width="5"/>\
        <path d="M60 40v40" stroke="#3a6ea5" stroke-width="15"/>\
        <path d="M60 40v40" stroke="#a9c7e8" stroke-width="3" stroke-dasharray="1 7"/>\
        <path d="M53 49h14M53 71h14" stroke="#24496f" stroke-width="3"/></svg>
        """

    static let harness: HTML = """
        <svg viewBox="0 0 120 120" aria-hidden="true" fill="none" stroke-linecap="round">\
        <g stroke="#24496f" stroke-width="3.500"><path d="M22 45c-6 10 2 18 12 12"/>\
        <path d="M98 45c6 10-2 18-12 12"/></g>\
        <path d="M38 46l-3 26M82 46l3 26" stroke="#56616d" stroke-width="4"/>\
        <ellipse cx="60" cy="37" rx="44" ry="14" stroke="#3a6ea5" stroke-width="13"/>\
        <path d="M18 42c12 12 72 12 84 0" stroke="#f2b134" stroke-width="3"/>\
        <ellipse cx="36" cy="88" rx="21" ry="12" stroke="#3a6ea5" stroke-width="10" \
        transform="rotate(-12 36 88)"/>\
        <ellipse cx="84" cy="88" rx="21" ry="12" stroke="#3a6ea5" stroke-width="10" \
        transform="rotate(12 84 88)"/>\
        <path d="M49 78c6-4 16-4 22 0" stroke="#24496f" stroke-width="6"/>\
        <rect x="54" y="46" width="12" height="36" rx="6" stroke="#e4572e" stroke-width="6"/>\
        <rect x="50" y="45" width="20" height="11" rx="3" fill="#9aa5b1"/></svg>
        """

    static let helmet: HTML = """
        <svg viewBox="0 0 120 120" aria-hidden="true" fill="none" stroke-linecap="round">\
        <path d="M32 72c4 18 14 30 25 33M88 72c-4 18-16 31-31 33" stroke="#56616d" \
        stroke-width="4"/>\
        <rect x="48" y="98" width="19" height="10" rx="4" fill="#223038"/>\
        <path d="M15 70c-2-34 19-52 46-52s46 18 45 50c0 5-3 7-8 7H24c-6 0-9-1-9-5z" \
        fill="#f2b134"/>\
        <path d="M15 66c24-8 66-8 91 0v4c0 4-3 6-8 6H24c-6 0-9-1-9-5z" fill="#d48f14"/>\
        <path d="M40 30c-7 6-10 13-11 22M61 26v24M82 30c7 6 10 13 11 22" stroke="#7a4d05" \
        stroke-width="6"/>\
        <path d="M50 22c-4 8-5 17-5 28M72 22c4 8 5 17 5 28" stroke="#ffd97a" stroke-width="3"/>\
        </svg>
        """

    static let shoe: HTML = """
        <svg viewBox="0 0 120 120" aria-hidden="true" fill="none" stroke-linecap="round">\
        <path d="M26 26c8-5 24-5 32 1 4 15 14 24 30 31 12 5 22 12 22 22 0 8-5 12-14 12H32 \
        c-11 0-17-7-16-19 1-16 4-32 10-47z" fill="#17a398"/>\
        <path d="M15 80c0 10 6 16 17 16h65c10 0 15-6 13-17-3 5-9 7-16 6-14-1-22-7-34-7 \
        -16 0-26 9-45 2z" fill="#223038"/>\
        <path d="M26 26c8-5 24-5 32 1-10 5-24 5-32-1z" fill="#0b5c55"/>\
        <path d="M24 51c14 5 29 3 42-6M21 67c20 5 40 1 55-13" stroke="#f2b134" stroke-width="9"/>\
        <path d="M60 49l6-4M70 59l6-5" stroke="#a8720d" stroke-width="9"/>\
        <path d="M25 28l-7 1" stroke="#e4572e" stroke-width="5"/></svg>
        """

    static let chalk: HTML = """
        <svg viewBox="0 0 120 120" aria-hidden="true" fill="none" stroke-linecap="round">\
        <path d="M28 38l7 58c1 8 49 8 50 0l7-58z" fill="#8e5aa8"/>\
        <path d="M31 62c16 8 42 8 58 0l-2 14c-16 7-38 7-54 0z" fill="#f2b134"/>\
        <path d="M39 69l8 6 9-5 8 6 9-6 9 4" stroke="#8e5aa8" stroke-width="3"/>\
        <ellipse cx="60" cy="38" rx="32" ry="12" fill="#5d3673"/>\
        <path d="M34 38c4-9 14-5 18-11 6-7 16-4 18 3 8-1 14 2 16 8-8 8-44 8-52 0z" fill="#fff"/>\
        <path d="M46 36c4-2 8-2 11 0M66 38c4-2 8-2 11 0" stroke="#cfd6de" stroke-width="2.500"/>\
        <ellipse cx="60" cy="39" rx="32" ry="12" stroke="#b488cc" stroke-width="5"/>\
        <path d="M90 46c14 4 14 20 8 28" stroke="#e4572e" stroke-width="3.500"/>\
        <circle cx="97" cy="77" r="4" fill="#e4572e"/>\
        <g fill="#cfd6de"><circle cx="30" cy="20" r="2"/><circle cx="82" cy="16" r="2.500"/>\
        <circle cx="46" cy="12" r="1.500"/></g></svg>
        """

    static let sling: HTML = """
        <svg viewBox="0 0 120 120" aria-hidden="true" fill="none" stroke-linecap="round">\
        <path d="M60 104C34 92 18 68 26 42c6-20 30-26 40-10 8 14-4 26-16 22-14-5-10-24 2-34 \
        14-11 38-6 44 16 6 26-10 56-36 68z" stroke="#c2305c" stroke-width="11"/>\
        <path d="M60 104C34 92 18 68 26 42c6-20 30-26 40-10 8 14-4 26-16 22-14-5-10-24 2-34 \
        14-11 38-6 44 16 6 26-10 56-36 68z" stroke="#f5a9bf" stroke-width="2.500" \
        stroke-dasharray="2 6"/>\
        <path d="M52 101l16 0" stroke="#7d1738" stroke-width="15"/>\
        <path d="M52 97v8M57 97v8M62 97v8M67 97v8" stroke="#f5a9bf" stroke-width="1.500"/></svg>
        """

    /// The mountains at the head of the page; their colours are the style's.
    static let mountains: HTML = """
        <svg class="mountains" viewBox="0 0 1200 260" preserveAspectRatio="xMidYMax slice" \
        aria-hidden="true"><circle class="sun" cx="560" cy="80" r="28"/>\
        <path class="far" d="M0 190L120 120l70 44L330 66l96 88 84-52 120 88 130-116 118 104 98-62 \
        108 74 116-70v160H0z"/>\
        <path class="snow" d="M330 66l50 46-26-6-20 16-22-14-30 6zM760 74l46 40-24-4-20 14-22-16 \
        -26 10z"/>\
        <path class="mid" d="M0 214l150-58 110 54 150-78 120 76 136-62 144 74 130-58 120 50 140-46 \
        v94H0z"/>\
        <path class="near" d="M0 244c160-40 300-20 470-6s320-34 470-14 180 12 260 0v36H0z"/>\
        <path class="line" d="M760 74c-14 40 26 50 18 84s-62 30-52 76"/></svg>
        """
}
