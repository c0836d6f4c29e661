"""Physics of the imaging chain: acquisition geometry, focal-spot and detector blur, noise (numpy and scipy only).

The chain, and the module that holds each step:

    object           depth slabs k with line integrals L_k at magnification M_k = SID / SOD_k      (geometry)
    spot blur        I = prod_k B_k exp(-L_k);  B_k has the OTF  S(u (M_k - 1), v (M_k - 1))       (focal_spot, blur)
    quanta           q ~ Poisson(N I),  N mean absorbed quanta per pixel at I = 1                  (noise)
    detector blur    D q,  D has the OTF  scintillator x aperture x glare                          (detector, blur)
    read-out noise   D q + e,  e white, its rms given in quanta                                    (noise)
    digital numbers  DN = round(gain (D q + e) + offset), saturated at 2^bits - 1                  (detector)
    subtraction      OD = ln Ic - ln Im, negative in vessels                                       (acquisition)

S is the OTF of the focal spot's intensity distribution in the spot's own plane, so a spot of width f makes a blur of
f (M - 1) mm at the detector. The focal spot and the detector both blur intensity, before the logarithm. Only the
detector's blur acts on the quantum noise, which is why the noise is correlated but keeps frequencies that the focal
spot has removed.

Units: mm and cycles/mm at the detector; pixels only through spacing_mm = (row, col). Frames are float32 (rows, cols).
Frequencies are (fu, fv): fu along the columns of a frame (x), fv along its rows (y).
"""
