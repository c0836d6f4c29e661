"""From frames to figures: diameters, courses and stenoses of vessels, calibration, agreement, views of a whole run.

All functions take arrays; images are (rows, columns) in values in which absorbers add up, lower in vessels (optical
density, or logarithms of intensity), points are (row, column) in pixels with whole numbers at the pixels' centres.

    blurs = run_blurs(acquisition, sharpness)      -> (SystemBlur, SystemBlur) | None, of the original and the deblurred
                                                                                                  line_spread
    section = measure_line(image, first, last, blur)            -> Section                        diameter
        section.diameters["model fit"].measured(calibration)    -> Measured | None, whose text is for the user
        section.section.positions, .values, .fit                what to draw; None where there is no vessel

    aim = aim_across(original, first, last)        -> Aim: raises Unmeasurable                    cross_section
    measure_at(frame, aim, blur)                   -> Section, the same place on each frame       diameter
    measure_all(frame, aims, blur)                 of many places at once, in less time

    line = find_centre_line(original, points, step_px)          -> CentreLine: raises Unmeasurable   centre_line
    course = measure_course(frame, line, blur)     -> VesselCourse, at every place of the line    course
    find_stenosis(course, method)                  -> Stenosis | None                             stenosis
    nascet, ecst, wasid, percent_stenosis, Aneurysm             of figures measured by hand       stenosis

    measure_line_on(pictures, first, last)         -> steps to a Result, of a line on both frames  markup
    line = centre_line_on(original, points, calibration)      to a CentreLine, for a curve
    measure_along(pictures, line)                  -> steps to a Result; .figures(method, calibration), .plot, .marks
        result.with_more(picture)                  the same on one more frame

    compare(first, second)                         -> Agreement of pairs, many vessels            agreement
    choices(acquisition)                           -> what is a millimetre                        calibration

Where there is no number there is a reason, one sentence for the user. For one markup on original and deblurred take aim
or centre line once, from the original, and measure both frames there.
"""
