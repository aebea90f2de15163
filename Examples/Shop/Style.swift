/// The page's style: light and dark as the visitor's system asks, one column on a phone.
enum Style {
    static let css: HTML = """
        :root { color-scheme: light dark;
          --ground: #f4f1ea; --panel: #fffdf9; --ink: #1f2a30; --soft: #5b676e; --edge: #e2dccf;
          --tile: #efeadf; --act: #1d5c6b; --act-ink: #fff; --danger: #b3261e; --ring: #1d5c6b;
          --sky1: #cfe5ee; --sky2: #f7ead6; --sun: #f6c667; --far: #9db9c6; --mid: #6d93a3;
          --near: #f4f1ea; --snow: #fff; --rope: #e4572e; --note: #fff3d6; --note-edge: #e6b84d;
          --t0: #1769aa; --t1: #b8470b; --t2: #26783a; --t3: #7b3fa0;
          --t4: #a81e5b; --t5: #0b7a75; --t6: #7a5c00; --t7: #4a55b8; --tone-ink: #fff; }
        @media (prefers-color-scheme: dark) { :root {
          --ground: #14191d; --panel: #1d242a; --ink: #e9eef0; --soft: #a3b0b7; --edge: #313b43;
          --tile: #28323a; --act: #7cc4d4; --act-ink: #0d2127; --danger: #ff8a80; --ring: #7cc4d4;
          --sky1: #0f1a2b; --sky2: #2a3550; --sun: #f4e3b2; --far: #34465c; --mid: #222f40;
          --near: #14191d; --snow: #9fb3c8; --note: #3a2f14; --note-edge: #a9832a;
          --t0: #6db7f2; --t1: #ff9d5c; --t2: #7ccf8b; --t3: #cf9df0;
          --t4: #ff8db8; --t5: #5fd3cc; --t6: #e3c34a; --t7: #a5b0ff; --tone-ink: #10161a; } }
        .tone0 { --tone: var(--t0) } .tone1 { --tone: var(--t1) } .tone2 { --tone: var(--t2) }
        .tone3 { --tone: var(--t3) } .tone4 { --tone: var(--t4) } .tone5 { --tone: var(--t5) }
        .tone6 { --tone: var(--t6) } .tone7 { --tone: var(--t7) }
        * { box-sizing: border-box }
        body { margin: 0; background: var(--ground); color: var(--ink);
          font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
        h1, h2, p, dl, dd, ul, ol { margin: 0; padding: 0 }
        h2 { font-size: 1.05rem; line-height: 1.3 }
        ul, ol { list-style: none }
        small { display: block; color: var(--soft); font-size: .82rem }
        code { font: .9em ui-monospace, Menlo, Consolas, monospace }
        :focus-visible { outline: 3px solid var(--ring); outline-offset: 2px }

        header { position: relative; isolation: isolate; overflow: hidden;
          padding: 2.2rem max(1.2rem, calc(50vw - 34.8rem)) 2.6rem;
          background: linear-gradient(var(--sky1), var(--sky2));
          display: flex; flex-wrap: wrap; gap: 1.2rem 2rem; align-items: center;
          justify-content: space-between }
        .mountains { position: absolute; inset: 0; width: 100%; height: 100%; z-index: -1 }
        .sun { fill: var(--sun) } .far { fill: var(--far) } .mid { fill: var(--mid) }
        .near { fill: var(--near) } .snow { fill: var(--snow) }
        .line { fill: none; stroke: var(--rope); stroke-width: 2.5; stroke-linecap: round }
        .brand h1 { font-size: clamp(2rem, 5vw, 3.1rem); line-height: 1.1; letter-spacing: -.02em }
        .brand p { font-size: 1.1rem }
        .server { background: var(--panel); border-radius: 16px; padding: 1rem 1.3rem 1.1rem;
          border-left: 10px solid var(--tone); box-shadow: 0 10px 30px #0003; min-width: 19rem }
        .who { font-size: 1.25rem; margin-bottom: .6rem }
        .who strong { color: var(--tone) }
        .dot { display: inline-block; width: .7em; height: .7em; border-radius: 50%;
          background: var(--tone); margin-right: .5em }
        dl { display: grid; grid-template-columns: repeat(2, auto); gap: .5rem 1.8rem }
        dt { color: var(--soft); font-size: .82rem }
        dd { font-weight: 600; font-variant-numeric: tabular-nums }

        main { max-width: 72rem; margin: 0 auto; padding: 0 1.2rem }
        #notice p { border: 1px solid var(--edge); border-left: 6px solid var(--act);
          background: var(--panel); border-radius: 12px; padding: .8rem 1.1rem; margin-top: 1rem }
        #notice.lost p { background: var(--note); border-color: var(--note-edge) }
        .columns { display: grid; gap: 1.4rem; margin: 1.4rem 0; align-items: start;
          grid-template: "shelf cart" auto "shelf lab" 1fr / minmax(0, 1fr) 21rem }
        .shelf { grid-area: shelf; display: grid; gap: 1.1rem;
          grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)) }
        article, .panel { background: var(--panel); border: 1px solid var(--edge);
          border-radius: 14px; padding: 1rem }
        article { display: flex; flex-direction: column }
        article p { color: var(--soft); font-size: .92rem; margin: .15rem 0 .8rem }
        article form { display: flex; justify-content: space-between; align-items: center;
          margin-top: auto }
        .picture { background: var(--tile); border-radius: 10px; margin-bottom: .8rem;
          display: grid; place-items: center; padding: .8rem }
        .picture svg { width: 7rem; height: 7rem; display: block }
        .price { white-space: nowrap; font-weight: 650; font-variant-numeric: tabular-nums }
        button, .button { font: inherit; font-weight: 600; border: 0; border-radius: 999px;
          padding: .5rem 1.1rem; background: var(--act); color: var(--act-ink); cursor: pointer;
          display: inline-block; text-decoration: none }
        button:hover, .button:hover { filter: brightness(1.12) }
        button:disabled { opacity: .45; cursor: default; filter: none }
        .danger { background: none; color: var(--danger); box-shadow: inset 0 0 0 2px }

        #cart { grid-area: cart; border-top: 6px solid var(--tone) }
        .badge { background: var(--tone); color: var(--tone-ink); border-radius: 999px;
          padding: .05rem .6rem; font-size: .9rem; margin-left: .3rem }
        .where { color: var(--soft); font-size: .88rem; margin: .1rem 0 .7rem }
        .where strong { color: var(--tone) }
        .empty { padding: 1rem 0; color: var(--soft) }
        #cart li { display: flex; align-items: center; gap: .6rem; padding: .5rem 0;
          border-top: 1px solid var(--edge) }
        .thumb { background: var(--tile); border-radius: 8px; padding: .25rem; flex: none }
        .thumb svg { width: 2.2rem; height: 2.2rem; display: block }
        .name { flex: 1; line-height: 1.3; font-size: .95rem }
        .step { display: flex; align-items: center; gap: .35rem }
        .step button { width: 2rem; height: 2rem; padding: 0; background: var(--tile);
          color: var(--ink) }
        output { min-width: 1.2em; text-align: center; font-variant-numeric: tabular-nums }
        .total { display: flex; justify-content: space-between; padding-top: .8rem;
          border-top: 2px solid var(--edge); font-size: 1.1rem }

        .lab { grid-area: lab; display: grid; gap: 1.1rem }
        .lab .panel { display: flex; flex-direction: column }
        .lab p { color: var(--soft); font-size: .95rem; margin-top: .3rem }
        .lab strong { color: var(--tone) }
        .lab .act { margin-top: auto; padding-top: .9rem; display: flex; gap: .9rem;
          align-items: center; flex-wrap: wrap }
        .chips { display: grid; grid-template-columns: repeat(10, minmax(0, 1fr)); gap: 4px;
          margin-top: .8rem }
        .chips li { height: 1.7rem; border-radius: 6px; background: var(--tile);
          display: grid; place-items: center; font-weight: 700; font-size: .85rem }
        .chips [class*=tone] { background: var(--tone); color: var(--tone-ink) }
        footer { color: var(--soft); font-size: .9rem; text-align: center;
          padding: 1rem 1.2rem 2.5rem }
        body.busy button { cursor: progress }
        @media (max-width: 52rem) {
          .columns { grid-template: "cart" "shelf" "lab" / minmax(0, 1fr) }
          .shelf { grid-template-columns: repeat(auto-fill, minmax(9.6rem, 1fr)); gap: .8rem }
          article { padding: .7rem } article button { padding: .45rem .9rem }
          .picture svg { width: 5.4rem; height: 5.4rem }
          header { padding-top: 1.6rem; padding-bottom: 1.8rem }
          .server { width: 100%; min-width: 0 } .sun, .line { display: none } }
        @media (prefers-reduced-motion: no-preference) {
          .fresh { animation: fresh .5s ease-out }
          @keyframes fresh { from { filter: brightness(1.35) } } }
        """
}
